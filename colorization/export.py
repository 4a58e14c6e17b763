"""Exports a run, as a SavedModel or for phones: `colorization export --model_dir=RUN`.

--format=saved_model writes TF Serving's layout, OUTPUT/VERSION/, which needs none of this code.
OUTPUT's last part is the model's name. Beside the SavedModel lies generator.weights.h5, which
--start_from of the training command takes. Its signatures:

  serving_default  image_bytes: strings of shape (batch,), each a whole JPEG, PNG, GIF or BMP file,
                   of any sizes. Returns image_bytes: the photos in color, upright, at their own
                   sizes: JPEG (quality 95) for JPEG, else PNG, of 16 bits and with transparency
                   where the file had them. A damaged file fails the call, and the error names it.
                   Up to 100 megapixels each. ICC profiles are not followed and metadata not kept;
                   CMYK, TIFF, WebP, HEIC and rarer formats are refused: `colorize` does all that.
  arrays           images: uint8 RGB (batch, height, width, 3), of any one size. Returns images.
  chroma           lightness: float L* (batch, height, width, 1), at any size. Returns ab: float
                   (batch, height, width, 2), not yet brought into sRGB's gamut.
  variants         image_bytes: a string; seed and count: int32, count up to 25. Returns
                   image_bytes (n,): up to count colorings, the likeliest first. Only in models that
                   give variants.
  client           What `colorize --server` calls.

Beside the versions lie models.config, batching.config and monitoring.config for TF Serving;
existing ones are kept. With tensorflow-serving-api installed (pip install 'colorization[serving]'),
a version has warm-up requests. model.tflite, in the version, is the same model for LiteRT:
`colorize` uses it, and starts in a fifth of the time.

--format=tflite writes OUTPUT/NAME_QUANTIZE.tflite for LiteRT; see docs/tflite.md. With
--quantize=int8 it needs --data: pictures on which the ranges of activations are measured.
"""

import contextlib
import dataclasses
import math
import os
import tempfile

from colorization.config import ConfigError
from pipelines import console

NUM_EXAMPLES = 100
FORMATS = ("saved_model", "tflite")
QUANTIZATIONS = ("none", "float16", "dynamic", "int8")
CHECKPOINTS = ("latest", "best")
_INHERITED = " Default: as in the exported model that the run started from; if none, {}."


def define_flags():
    """Defines the flags of the command."""
    from absl import flags

    flags.DEFINE_string("model_dir", "", "Directory of the run to export.")
    flags.DEFINE_string(
        "output",
        "",
        "Directory of the model; its last part is the model's name. Default: RUN/FORMAT.",
    )
    flags.DEFINE_enum("format", "saved_model", FORMATS, "What to write.")
    flags.DEFINE_bool(
        "litert",
        True,
        "Write model.tflite beside the SavedModel: it colors photos without TensorFlow.",
    )
    flags.DEFINE_enum(
        "quantize",
        "none",
        QUANTIZATIONS,
        "How --format=tflite is compressed: float16 halves it, with no visible change; dynamic and "
        "int8 reduce it to a quarter; int8 also quantizes activations, by ranges measured on "
        "--data, and is the fastest.",
    )
    flags.DEFINE_string(
        "data",
        "",
        "Pictures on which --quantize=int8 measures ranges, as for --data of the training command.",
    )
    flags.DEFINE_string(
        "input_size",
        "",
        "HEIGHTxWIDTH of the only input that a tflite model accepts, as delegates of phones need "
        "it. Default: any size, by resize_tensor_input.",
    )
    flags.DEFINE_enum(
        "checkpoint",
        "latest",
        CHECKPOINTS,
        "Which checkpoint of the run; best is the one that --monitor of training chose.",
    )
    _define_graph_flags(flags)


def _define_graph_flags(flags):
    """Defines the flags that say what becomes of the network."""
    flags.DEFINE_integer(
        "version",
        0,
        "Version to write; 0: the next free one; for tflite, the latest.",
        lower_bound=0,
    )
    flags.DEFINE_integer(
        "working_size",
        None,
        "Short side of what the network sees, in pixels; larger photos are seen smaller, and "
        "colored at their own size. 0: the size of the training crops." + _INHERITED.format("0"),
        lower_bound=0,
    )
    flags.DEFINE_float(
        "temperature",
        0.0,
        "Temperature of the annealed mean, for models of quantized chroma; 0: the recipe's.",
        lower_bound=0,
        upper_bound=1,
    )
    flags.DEFINE_list(
        "balance",
        None,
        "A,B,CHROMA: what the logarithm of a color's odds gains for every 100 units of its a*, b* "
        "and chroma, for models of quantized chroma. 0.8,0,0 makes what the model is unsure of "
        "redder and less green. benchmarks/balance.py finds the numbers that make pictures as red, "
        "yellow and colorful as the originals." + _INHERITED.format("0,0,0"),
    )
    flags.DEFINE_float(
        "saturation",
        None,
        "Factor of predicted chroma. A mean of likely colors is paler than photos are: choose the "
        "factor that makes pictures as colorful as the originals." + _INHERITED.format("1"),
        lower_bound=0,
        upper_bound=4,
    )
    flags.DEFINE_float(
        "second_scale",
        None,
        "Share of --working_size at which the network sees a photo once more; its two answers are "
        "averaged, which depends less on the size of things. 0: one view." + _INHERITED.format("0"),
        lower_bound=0,
        upper_bound=1,
    )
    flags.DEFINE_float(
        "smoothing",
        None,
        "How far, as a share of the short side, predictions are averaged over flat places of like "
        "lightness and texture, so that a wall has no patches. Makes paler: raise --saturation. "
        "0: not at all." + _INHERITED.format("0"),
        lower_bound=0,
        upper_bound=1,
    )


@dataclasses.dataclass(frozen=True)
class Settings:
    """What an exported model makes of its network.

    None takes what the exported model has that the run started from, so that a fine-tuned model
    colors as that one does, and else the first value named here.

    Args:
        working_size: Short side of what the network sees, in pixels; 0 is the training size.
        balance: Which colors are favored, as `bins.tilt` takes it, for models of quantized chroma.
        saturation: 1, or what else predicted chroma is multiplied by. Hints are kept as they are.
        second_scale: 0 for one view, or the share of the working size of a second.
        smoothing: 0, or how far, as a share of the short side, predictions are averaged over places
            that look alike.
        temperature: Of the annealed mean, for models of quantized chroma; 0 takes the recipe's.
        checkpoint: One of `CHECKPOINTS`.
    """

    working_size: int | None = None
    balance: tuple[float, float, float] | None = None
    saturation: float | None = None
    second_scale: float | None = None
    smoothing: float | None = None
    temperature: float = 0.0
    checkpoint: str = "latest"

    def completed(self, model):
        """The settings with nothing left open. `model` describes an exported model, or is empty."""
        first = dict(working_size=0, balance=None, saturation=1.0, second_scale=0.0, smoothing=0.0)
        chosen = {name: value for name, value in vars(self).items() if value is not None}
        known = {name: model[name] for name in first if model.get(name) is not None}
        return Settings(**first | known | chosen)


def main(arguments):
    """Exports the run that the flags name."""
    from absl import flags

    options = flags.FLAGS
    if arguments or not options.model_dir:
        raise ConfigError("export takes --model_dir=RUN and other flags only. See --help.")
    is_lite = options.format == "tflite"
    if not is_lite and (options.quantize != "none" or options.data or options.input_size):
        raise ConfigError(
            "--quantize, --data and --input_size are for --format=tflite. Received: "
            f"--format={options.format}."
        )
    console.import_quietly("keras")
    output = options.output or os.path.join(options.model_dir, options.format)
    settings = {field.name: options[field.name].value for field in dataclasses.fields(Settings)}
    if options.balance is not None:
        settings["balance"] = _parse_balance(options.balance)
    if is_lite:
        extra = (options.quantize, options.data, options.input_size)
        path = export_tflite(options.model_dir, output, options.version, *extra, **settings)
    else:
        path = export(options.model_dir, output, options.version, lite=options.litert, **settings)
    print(f"Exported {options.model_dir} to {path}")
    if not is_lite:
        print(f"Color with it: colorize PHOTO --model={output}")


def export(model_dir, output, version=0, lite=False, **settings):
    """Writes a checkpoint of a run, with averaged weights, as SavedModel; returns its path.

    `output` is the directory of the model, in which versions lie; version 0 takes the next free
    one. With `lite` the model for LiteRT is written beside it; `settings` are those of `Settings`.
    Raises `ConfigError` if `model_dir` is no run, or the sizes do not fit its network,
    `TrainingError` if the run has no such checkpoint, or a damaged one, and `ExportError` if the
    version exists or can't be written.
    """
    from colorization.serving import versions
    from colorization.training import restore

    settings = Settings(**settings)
    with console.doing(f"Exporting {model_dir}"):
        graph, description = open_run(model_dir, settings)
        version = version or versions.next_version(output)
        path = versions.save(graph, output, version, description, lite)
        restore.publish_weights(model_dir, settings.checkpoint, os.path.join(path, restore.WEIGHTS))
    return path


def export_tflite(
    model_dir, output, version=0, quantize="none", data="", input_size="", **settings
):
    """Writes a checkpoint of a run, with averaged weights, for LiteRT; returns its path.

    The version is noted in the model; 0 takes the highest that `output` holds, or 1. `quantize` is
    `"none"`, `"float16"`, `"dynamic"` or `"int8"`, for which `data` has pictures, as
    `opener.open_source` takes them. `input_size` is `"HEIGHTxWIDTH"` of the only input taken; empty
    for any. Raises as `export`; `ConfigError` also if `data` is missing or given for nothing, and
    `ExportError` if no picture of it can be read.
    """
    from colorization.serving import tflite, versions
    from pipelines.sources import opener

    if (quantize == "int8") != bool(data):
        raise ConfigError(
            "--quantize=int8, and nothing else, needs --data, pictures to measure on. Received: "
            f"--quantize={quantize} --data={data}."
        )
    source = opener.open_source(data) if data else None
    name = os.path.basename(os.path.abspath(output))
    size, suffix = None, ""
    if input_size:
        size, suffix = _parse_size(input_size), f"_{input_size}"
    path = os.path.join(output, f"{name}_{quantize}{suffix}.tflite")
    tflite.check_place(path, quantize)
    graph, description = open_run(model_dir, Settings(**settings), size)
    version = version or max(1, versions.next_version(output) - 1)
    about = tflite.about({"name": name, "version": version} | description, quantize)
    content = tflite.convert(graph, about, size)
    if quantize != "none":
        shown = tflite.examples(graph, source, NUM_EXAMPLES, size) if source else ()
        content = tflite.quantize(content, quantize, graph.network.name, shown)
    return tflite.write(path, content)


def is_run(folder):
    """Whether a folder is the directory of a run."""
    from colorization.config import RECIPE

    return bool(folder) and os.path.isfile(os.path.join(folder, RECIPE))


@contextlib.contextmanager
def exported(folder):
    """Exports a run to a temporary folder, as users would get it.

    Yields the folder of an exported model: that one, or of the run's name and gone afterwards.
    """
    if not is_run(folder):
        yield folder
        return

    console.import_quietly("keras")
    with tempfile.TemporaryDirectory() as made:
        yield export(folder, os.path.join(made, os.path.basename(os.path.abspath(folder))))


def _parse_balance(parts):
    with contextlib.suppress(ValueError):
        balance = tuple(map(float, parts))
        if len(balance) == 3 and all(map(math.isfinite, balance)):
            return balance
    raise ConfigError(f"--balance is three numbers, such as 0.8,0,0. Received: {','.join(parts)}.")


def _parse_size(text):
    sides = text.split("x")
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        raise ConfigError(f"--input_size is HEIGHTxWIDTH, such as 256x384. Received: {text}.")
    return tuple(map(int, sides))


def open_run(model_dir, settings=Settings(), input_size=None):
    """Opens a run as a `ColorizationGraph` of the checkpoint, with a dict that describes it.

    `input_size` is `(height, width)` that the network must be able to take, or None. Raises
    `ConfigError` and `TrainingError` as `export`.
    """
    from colorization import flags
    from colorization.config import knobs
    from colorization.inference.graph import ColorizationGraph
    from colorization.training import restore, state
    from colorization.training.networks import build_codec

    config = restore.read_recipe(model_dir)
    settings = settings.completed(state.started_from(model_dir).get("model", {}))
    if settings.temperature:
        config = dataclasses.replace(config, temperature=settings.temperature)
    size = settings.working_size or config.image_size
    sides = {"--working_size": (size,), "--input_size": input_size or ()}
    for flag, lengths in sides.items():
        if any(length < 1 or length % config.size_multiple for length in lengths):
            raise ConfigError(
                f"{flag} is a multiple of {config.size_multiple} for `{config.generator}`. "
                f"Received: {'x'.join(map(str, lengths))}."
            )
    for name in ("second_scale", "smoothing"):
        if config.noise_size and (value := getattr(settings, name)):
            raise ConfigError(
                f"--{name} is for networks that take no noise. Received: --{name}={value:g} for a "
                f"run of --noise_size={config.noise_size}. Set it to 0."
            )
    if settings.balance and not config.is_quantized:
        raise ConfigError(
            "--balance is for runs of quantized chroma. Received: a run of "
            f"--codec={config.codec}. Leave it out."
        )
    network, epoch = restore.trained_generator(
        config, model_dir, settings.checkpoint, settings.balance
    )
    graph = ColorizationGraph(
        network,
        build_codec(config),
        size,
        config.size_multiple,
        settings.saturation,
        settings.second_scale,
        settings.smoothing,
    )
    # What lies on the run's machine means nothing elsewhere.
    local = tuple(f"--{name}=" for name in knobs(local=True))
    description = {
        "codec": config.codec,
        "epochs": epoch,
        "working_size": size,
        "size_multiple": config.size_multiple,
        "temperature": config.temperature if config.is_quantized else None,
        "balance": settings.balance,
        "saturation": settings.saturation,
        "second_scale": settings.second_scale,
        "smoothing": settings.smoothing,
        "recipe": [
            line for line in flags.format_flags(config).splitlines() if not line.startswith(local)
        ],
        "prior": restore.kept_prior(config, model_dir),
    }
    return graph, description


if __name__ == "__main__":
    console.run_command(main, define_flags)
