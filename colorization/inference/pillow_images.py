"""Pillow's images as photos: of any mode, and upright."""

import io
import sys

from pipelines.photos import photo_files
from pipelines.photos.photo_files import PictureError

# What TIFF does not hold as Pillow has it, and what that becomes.
_CONVERTED = {"La": "LA", "RGBa": "RGBA", "YCbCr": "RGB", "HSV": "RGB", "P": "RGB", "PA": "RGBA"}


def is_image(picture):
    """Whether something is an image of Pillow's, which need not be installed."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(picture, module.Image)


def to_photo(image):
    """Reads a Pillow image as its file would be read: turned upright, in sRGB.

    Args:
        image: `PIL.Image.Image`. Levels of the mode I are scaled by what is in them.

    Returns:
        `Photo`: uint16 for the modes I, I;16 and F, else uint8.

    Raises:
        PictureError: If the levels of mode F have no common white.
    """
    from PIL import ImageOps

    mode = image.mode
    image = ImageOps.exif_transpose(image)
    if mode in _CONVERTED:
        is_clear = mode == "P" and image.has_transparency_data
        image = image.convert("RGBA" if is_clear else _CONVERTED[mode])
    file = io.BytesIO()
    try:
        profile = image.info.get("icc_profile")
        image.save(file, "TIFF", compression="raw", icc_profile=profile)
        return photo_files.decode_photo(f"Pillow image of mode {mode}", file.getvalue())[0]
    except PictureError:
        raise
    except (OSError, ValueError) as error:
        raise PictureError(
            f"A Pillow image of mode {mode} can't be colored ({error}). Convert it to RGB."
        ) from error
