"""Networks with fewer layers than any option gives them, which learn as the others do."""

import functools

from colorization.models import colornet, residual


def replacements():
    """Lists what to set in their place: triples of a module, a name and a builder."""
    return [
        (residual, "residual", functools.partial(residual.residual, num_blocks=(0, 0, 0, 1))),
        (colornet, "colornet", functools.partial(colornet.colornet, depth=1)),
    ]
