"""Photo in, color photo out, with an exported model and no training code."""

import json
import os
import pathlib

import numpy as np
import tensorflow as tf

from colorization.inference import graph
from pipelines import decode

RELEASED_MODEL = pathlib.Path(__file__).resolve().parents[2] / "saved_models" / "chroma"
DESCRIPTION = os.path.join("assets.extra", "colorization.json")


class ModelError(ValueError):
    """A model that cannot be used; the message is one line."""


class Colorizer:
    """Colors photos with an exported model.

    Args:
        model: Folder of an exported model, or the folder that holds its numbered versions, of which
            the highest is taken; default the released model. Its code is its graph: load only
            models whose source you trust.

    Attributes:
        description: Dict of what the exporter wrote about the model: its name, version, codec and
            recipe.

    Raises:
        ModelError: If there is no such model, it is damaged, or another program made it.
    """

    def __init__(self, model=None):
        folder = _find_version(model)
        self.description = _read_description(folder)
        try:
            self._graph = tf.saved_model.load(str(folder))
        except (OSError, ValueError, LookupError, RuntimeError, tf.errors.OpError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ModelError(
                f"{folder}: the model is damaged or incomplete ({reason}). Copy or export it again."
            ) from error
        missing = [name for name in ("predict", "apply") if not hasattr(self._graph, name)]
        if missing:
            raise ModelError(
                f"{folder}: a model with `predict` and `apply` was expected. Received one without "
                f"{' and '.join(missing)}. Export it again with colorization.export."
            )

    def colorize(self, picture):
        """Colors one photo: its size and its lightness stay, its colors, if any, are replaced.

        Args:
            picture: Path of a picture file, or uint8 array of shape `(height, width, 3)` or
                `(height, width)`, sRGB in `[0, 255]`.

        Returns:
            uint8 array of shape `(height, width, 3)`, sRGB.

        Raises:
            PictureError: If the file cannot be read, the array is of another sort, or memory does
                not suffice.
        """
        photo = _as_photo(picture)
        height, width = photo.shape[:2]
        colored = np.empty_like(photo)
        step = graph.strip_rows(1, width)
        try:
            coefficients = self._graph.predict(photo[None])
            for top in range(0, height, step):
                rows = photo[None, top : top + step]
                colored[top : top + step] = self._graph.apply(rows, coefficients, top, height)[0]
        except tf.errors.ResourceExhaustedError as error:
            raise decode.PictureError(
                f"A photo of {width} x {height} pixels does not fit into memory. Make it smaller."
            ) from error
        return colored


def _find_version(model):
    if model is None:
        if not RELEASED_MODEL.is_dir():
            raise ModelError(
                f"The released model was expected in {RELEASED_MODEL}, which is missing. "
                "Name another with --model=FOLDER."
            )
        model = RELEASED_MODEL
    folder = pathlib.Path(model)
    if not folder.is_dir():
        what = "a file" if folder.exists() else "no such folder"
        raise ModelError(
            f"{folder}: the folder of an exported model was expected. Received: {what}. "
            "Check --model."
        )
    versions = [path for path in folder.iterdir() if path.name.isdecimal() and path.is_dir()]
    if (folder / "saved_model.pb").exists() or not versions:
        return folder
    return max(versions, key=lambda path: int(path.name))


def _read_description(folder):
    """What the exporter wrote; read before the model, so that no stranger's graph is loaded."""
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{folder}: a model that colorization.export wrote was expected. Received a folder "
            f"without {DESCRIPTION}. Check --model."
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder / DESCRIPTION}: cannot be read ({error}). Copy or export the model again."
        ) from error
    if not isinstance(description, dict):
        raise ModelError(
            f"{folder / DESCRIPTION}: expected a JSON object. Received: "
            f"{type(description).__name__}. Copy or export the model again."
        )
    return description


def _as_photo(picture):
    if isinstance(picture, (str, os.PathLike)):
        return decode.read_picture(picture)
    photo = np.asarray(picture)
    gray, color = photo.ndim == 2, photo.ndim == 3 and photo.shape[-1] == 3
    if photo.dtype != np.uint8 or not (gray or color) or photo.size == 0:
        raise decode.PictureError(
            "`colorize` needs a path, or a uint8 array of shape (height, width, 3) or (height, "
            f"width) with at least one pixel. Received: {type(picture).__name__}, "
            f"dtype={photo.dtype}, shape={photo.shape}."
        )
    return np.repeat(photo[..., None], 3, axis=-1) if gray else photo
