"""Folders of exported models: which version is taken, what its exporter wrote, and what runs it.

An engine is an object that threads may share, with

- `description`: dict with the model's `name`, `version`, `gives_variants`, and with `working_size`
  and `size_multiple`, which say at which size it wants to see a photo, and, if true, `takes_hints`
  and `gives_suggestions`;
- `gives_variants`, `gives_suggestions`: whether it can color a photo in several ways, and suggest;
- `coefficients(lightness, hints=None)`: from L* at the working size, a float array of shape
  `(1, h, w, 1)`, to what `full_size.apply` makes colors of, a float array of shape `(1, h, w, 4)`;
- `variants(lightness, seed, count, hints=None)`: the same for up to `count` colorings, of shape
  `(n, h, w, 4)`, the likeliest first;
- `suggest(lightness, place, hints=None)`: the colors that the network believes in at a place, given
  as shares of height and width: ab, `(n, 2)`, and shares, `(n,)`, the likeliest first.

Hints are a float array of shape `(1, h, w, 3)`: ab in CIE units, and a mask that is 1 where it is
meant. Models that take none ignore them.
"""

import importlib.util
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
ENGINES = ("auto", "litert", "saved_model")
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


def open_engine(folder, description, name="auto"):
    """Opens the engine for a model on this machine.

    Folder and description are what `find` and `read_description` return. Of `ENGINES`, `"litert"`
    starts ten times as fast; `"auto"` takes it where its file lies beside the SavedModel and it is
    installed. Raises `ModelError` if the model is damaged, or lacks what that engine needs.
    """
    has_lite = (folder / LITE).exists()
    is_installed = importlib.util.find_spec("ai_edge_litert") is not None
    if name == "auto":
        name = "litert" if has_lite and is_installed else "saved_model"
    if name == "saved_model":
        from colorization.inference.engines.saved_model import SavedModelEngine

        return SavedModelEngine(folder, description)
    if not has_lite:
        raise ModelError(
            f"{folder}: --engine=litert needs {LITE} beside the SavedModel. Received: none. Export "
            "the model again, or set --engine=saved_model."
        )
    if not is_installed:
        raise ModelError(
            "--engine=litert needs ai-edge-litert, which is not installed. Install it "
            "(pip install ai-edge-litert), or set --engine=saved_model."
        )
    from colorization.inference.engines.litert import LiteRTEngine

    return LiteRTEngine(folder / LITE, description)
