"""Folders of exported models: which version is taken, and what its exporter wrote about it."""

import json
import os
import pathlib

from pipelines.errors import UserError

# A wheel holds it beside the modules, a checkout above them.
_PACKAGE, _CHECKOUT = pathlib.Path(__file__).resolve().parents[1:3]
_PLACES = [folder / "saved_models" / "chroma" for folder in (_PACKAGE, _CHECKOUT)]
RELEASED_MODEL = next((place for place in _PLACES if place.is_dir()), _PLACES[-1])
# What every command takes for it.
RELEASED = "released"
DESCRIPTION = os.path.join("assets.extra", "colorization.json")
# Beside the SavedModel, the same model for LiteRT.
LITE = "model.tflite"
_DESCRIBED = {"name", "version", "gives_variants", "working_size", "size_multiple"}


class ModelError(UserError):
    """A model that cannot be used; the message is one line."""


def find(model=None):
    """Finds the folder of a model's version: a `pathlib.Path`.

    `model` is the path of an exported model, or of the folder that holds its numbered versions, of
    which the highest is taken; `"released"` or None: the released model. Raises `ModelError` if
    there is none.
    """
    folder = pathlib.Path(resolve(model))
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


def resolve(model):
    """The folder that a model's name stands for: of the released one for `"released"` and None.

    Raises `ModelError` if that is missing.
    """
    if model and model != RELEASED:
        return model
    if not RELEASED_MODEL.is_dir():
        raise ModelError(
            f"The released model was expected in {RELEASED_MODEL}, which is missing. "
            "Name another with --model=FOLDER."
        )
    return str(RELEASED_MODEL)


def read_description(folder):
    """Reads what the exporter wrote; before the model, so that no stranger's graph is loaded.

    It is a dict of the model's name, version, sizes, codec and recipe. Raises `ModelError` if
    another program made the model, or it is damaged.
    """
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
    if not isinstance(description, dict) or not _DESCRIBED <= description.keys():
        raise ModelError(
            f"{folder / DESCRIPTION}: expected a JSON object with {', '.join(sorted(_DESCRIBED))}. "
            "Received another, perhaps of an earlier program. Export the model again."
        )
    return description
