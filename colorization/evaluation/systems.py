"""Systems that color gray photos: models, and the baselines that they are compared with.

A system takes the photo in gray, uint8 `(height, width, 3)` of equal channels, and returns uint8
pictures of the same shape. Only `TRUTH` sees the colors.
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from colorization.evaluation import EvaluationError
from colorization.evaluation.protocol import VARIANTS_SEED
from colorization.inference import model_folder
from colorization.inference.colorizer import Colorizer
from pipelines.color import bins, spaces


@dataclasses.dataclass(frozen=True)
class System:
    """What makes pictures; threads may share it.

    `color` is a function of a photo in gray and of the photo itself to a list of pictures, the
    likeliest first. `engine`, as of `inference.model_folder`, colors films; baselines have none.
    """

    name: str
    description: dict
    color: Callable
    engine: object = None


GRAY = System("gray", {"kind": "gray"}, lambda shown, photo: [shown])
TRUTH = System("truth", {"kind": "truth"}, lambda shown, photo: [photo])


def open_systems(first_model, baselines, num_variants, open_folder):
    """Opens a model and what it is compared with: a list of `System`s, the model first.

    `first_model` is a folder of an exported model or of a run; empty for the released model.
    `baselines` are `gray`, `mean`, `truth`, and folders; `open_folder` is a function from such a
    folder to that of an exported model. Raises `ModelError` if a model can't be used,
    `EvaluationError` if two would have the same name, or one can't do what is asked.
    """

    def open_model(folder):
        exported = open_folder(folder)
        more = {} if exported == folder else {"run": pathlib.Path(folder).absolute().name}
        return model(exported or None, num_variants, **more)

    first, description = open_model(first_model)
    known = {"gray": lambda: GRAY, "mean": lambda: mean(description), "truth": lambda: TRUTH}
    opened = [known[name]() if name in known else open_model(name)[0] for name in baselines]
    names = [system.name for system in (first, *opened)]
    if len(set(names)) < len(names):
        raise EvaluationError(
            "--model and --baseline must name systems of different names. Received: "
            f"{', '.join(names)}. Leave one out, or rename its folder."
        )
    return [first, *opened]


def mean(description):
    """The one color that a model's training pictures have on average, everywhere.

    `description` is that of a `Colorizer`; without a prior it raises `EvaluationError`.
    """
    prior = description.get("prior")
    if not prior:
        raise EvaluationError(
            "--baseline=mean paints the mean color of the model's training pictures, which only "
            f"models of quantized chroma know. Received: {description['name']}, which does not. "
            "Leave it out."
        )
    ab = (np.asarray(prior) @ bins.bin_centers()).astype(np.float32)

    def paint(shown, photo):
        lightness = spaces.rgb_to_lightness(shown)
        lab = tf.concat([lightness, tf.broadcast_to(ab, [*shown.shape[:2], 2])], axis=-1)
        linear = spaces.reduce_chroma_to_gamut(spaces.lab_to_linear(lab))
        levels = np.clip(spaces.linear_to_srgb(linear).numpy(), 0, 1) * 255
        return [np.round(levels).astype(np.uint8)]

    described = {"kind": "mean", "ab": [round(float(x), 3) for x in ab], "of": description["name"]}
    return System("mean", described, paint)


def model(folder, num_variants=1, **more):
    """A model, by the code that `colorize` runs: a `System`, and its `Colorizer`'s description.

    None takes the released one; `more` is added to its records. Raises `ModelError` if it can't be
    used, `EvaluationError` if it gives no variants and several are asked for.
    """
    colorizer = Colorizer(folder)
    description = colorizer.description
    if num_variants > 1 and not description["gives_variants"]:
        raise EvaluationError(
            f"--num_variants=1 is all that the model {description['name']} can give. Received: "
            f"{num_variants}."
        )

    def paint(shown, photo):
        return colorizer.variants(shown, num_variants, seed=VARIANTS_SEED)

    keys = ("name", "version", "epochs", "working_size", "temperature", "balance")
    known = {key: description[key] for key in keys if key in description}
    known["weights_sha256"] = _weights_digest(folder, description["version"])
    name = f"{description['name']} {description['version']}"
    return System(name, {"kind": "model"} | known | more, paint, colorizer.engine), description


def _weights_digest(folder, version):
    folder = pathlib.Path(model_folder.resolve(folder))
    numbered = folder / str(version)
    digest = hashlib.sha256()
    for path in sorted((numbered if numbered.is_dir() else folder).glob("variables/*.data-*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
