"""Trains, measures and serves networks that color black-and-white pictures.

`from colorization import Colorizer` is all that a program needs to color photos; `Hint`, `Stroke`
and `Region` tell it colors.
"""

import pipelines  # noqa: F401  It sets the search for modules right, before anything else.

__version__ = "0.2.0"


def __getattr__(name):
    # TensorFlow takes seconds to import: the commands check their arguments before that.
    if name == "Colorizer":
        from colorization.inference.colorizer import Colorizer

        return Colorizer
    if name in ("Hint", "Stroke", "Region"):
        from colorization.inference import color_hints

        return getattr(color_hints, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
