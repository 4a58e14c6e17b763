"""Pictures as callers pass them, made photos: paths, arrays, and Pillow's images of any mode."""

import io
import os
import sys

import numpy as np

from pipelines.photos import photo_files
from pipelines.photos.photo_files import PictureError

# What TIFF does not hold as Pillow has it, and what that becomes.
_CONVERTED = {"La": "LA", "RGBa": "RGBA", "YCbCr": "RGB", "HSV": "RGB", "P": "RGB", "PA": "RGBA"}


def is_image(picture):
    """Whether something is an image of Pillow's, which need not be installed."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(picture, module.Image)


def to_photo(image):
    """Reads a `PIL.Image.Image` as its file would be read: turned upright, in sRGB.

    The `Photo` is uint16 for the modes I, whose levels are scaled by what is in them, I;16 and F,
    else uint8. Raises `PictureError` if the levels of mode F have no common white.
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


def as_photo(picture):
    """Makes a `Photo` of a path, a Pillow image or an array.

    Raises:
        PictureError: If a file can't be read, or an array is of another sort.
    """
    if isinstance(picture, (str, os.PathLike)):
        return photo_files.read_photo(picture)[0]
    if is_image(picture):
        return to_photo(picture)
    pixels = np.asarray(picture)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    known = pixels.dtype in (np.uint8, np.uint16)
    if not known or pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or pixels.size == 0:
        raise PictureError(
            "A picture is a path, a Pillow image, or a uint8 or uint16 array of shape (height, "
            "width) or (height, width, 1, 3 or 4) with at least one pixel. Received: "
            f"{type(picture).__name__}, dtype={pixels.dtype}, shape={np.shape(picture)}."
        )
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    rgb = np.repeat(pixels, 3, axis=-1) if pixels.shape[2] == 1 else pixels[..., :3]
    return photo_files.Photo(np.ascontiguousarray(rgb), alpha, photo_files.Metadata())
