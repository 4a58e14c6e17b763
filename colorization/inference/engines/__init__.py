"""Engines: what runs the network, here by TensorFlow or LiteRT, or on a server.

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

from colorization.inference.model_folder import LITE, ModelError

ENGINES = ("auto", "litert", "saved_model")


def open_engine(folder, description, name="auto"):
    """Opens the engine for a model on this machine.

    Folder and description are what `model_folder` finds and reads. Of `ENGINES`, `"litert"` starts
    ten times as fast; `"auto"` takes it where its file lies beside the SavedModel and it is
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
