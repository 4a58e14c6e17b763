"""The sample photographs: scikit-image's own, which come with the extra `samples`."""

import os

from pipelines.errors import UserError

_NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


def paths():
    """Lists the paths of the sample photographs; `UserError` if scikit-image is not installed."""
    try:
        import skimage
    except ImportError as error:
        raise UserError(
            "The sample pictures are scikit-image's. Install it: pip install scikit-image."
        ) from error
    folder = os.path.join(os.path.dirname(skimage.__file__), "data")
    return [os.path.join(folder, name) for name in _NAMES]
