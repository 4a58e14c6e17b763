"""Picture files in, pixels out, and back: strict about damage, faithful about orientation.

Law of the file: a picture is uint8 sRGB of shape `(height, width, 3)`. A file that is missing,
truncated, damaged or no picture raises; it never becomes a picture that is partly gray.
"""

import os
import pathlib
import secrets

import cv2
import numpy as np
import tensorflow as tf

from pipelines import headers

PICTURE_SUFFIXES = headers.PICTURE_SUFFIXES
MAX_PIXELS = 500_000_000

_KINDS = "JPEG, PNG, GIF, BMP, WebP or TIFF"
_UPRIGHT = {
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.swapaxes(0, 1),
    6: lambda picture: np.rot90(picture, -1),
    7: lambda picture: picture[::-1, ::-1].swapaxes(0, 1),
    8: lambda picture: np.rot90(picture),
}


class PictureError(ValueError):
    """A picture that cannot be read, colored or written; the message is one line."""


def decode_in_graph(encoded):
    """Decodes one file's bytes inside a graph, as `tf.data` needs it.

    Orientation is left as stored: a training set is cropped and flipped anyway.

    Args:
        encoded: Scalar string tensor: a whole JPEG, PNG, GIF, BMP or opaque WebP file.

    Returns:
        uint8 tensor of shape `(height, width, 3)`: of an animation its first picture, of a gray
        file three equal channels.

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are truncated, damaged or no picture.
    """
    picture = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    picture.set_shape([None, None, 3])
    return picture


def read_picture(path):
    """Reads a picture file the way up that its Exif orientation asks for.

    Args:
        path: Path of a JPEG, PNG, GIF, BMP, WebP or TIFF file, known by its first bytes, not by its
            name. Sixteen bits are reduced to eight, transparency is dropped, and of an animation
            the first picture is taken.

    Returns:
        uint8 array of shape `(height, width, 3)`: sRGB in `[0, 255]`.

    Raises:
        PictureError: If the file is missing, empty, truncated, damaged, no picture of these kinds,
            or holds more than `MAX_PIXELS` pixels.
    """
    kind, data = _read_bytes(path)
    height, width, orientation = headers.read_header(kind, data)
    if height * width > MAX_PIXELS:
        raise PictureError(
            f"{path}: a picture may have up to {MAX_PIXELS:,} pixels. Received: {width} x {height} "
            f"= {width * height:,}. Make it smaller first."
        )
    picture = _decode(kind, data)
    if picture is None or picture.size == 0:
        raise PictureError(
            f"{path}: expected a whole {kind} picture. Received: {len(data):,} bytes, truncated, "
            f"damaged or of an unusual sort of {kind}. Copy it again, or save it as PNG."
        )
    return np.ascontiguousarray(_UPRIGHT.get(orientation, np.asarray)(picture))


def write_picture(path, rgb, overwrite=False):
    """Writes a picture whole or not at all: no reader ever sees a part of the file.

    Args:
        path: Path that ends in .jpg or .jpeg (quality 95, chroma at full size) or .png.
        rgb: uint8 array of shape `(height, width, 3)`.
        overwrite: Whether a file that is there already is replaced; default False.

    Raises:
        PictureError: If the suffix is another one, the file exists and `overwrite` is False, or the
            picture cannot be encoded or stored.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() not in headers.WRITABLE_SUFFIXES:
        raise PictureError(
            f"{path}: a picture is written as {', '.join(headers.WRITABLE_SUFFIXES)}. "
            f"Received: suffix={path.suffix!r}. Choose one of these suffixes."
        )
    try:
        _store(path, _encode(path.suffix.lower(), rgb), overwrite)
    except FileExistsError as error:
        raise PictureError(
            f"{path}: a new file was expected, and one is there already. Choose another name, or "
            "ask for overwriting (--overwrite)."
        ) from error
    except OSError as error:
        raise PictureError(f"{path}: cannot be written: {error.strerror or error}.") from error


def _encode(suffix, rgb):
    try:
        if suffix == ".png":
            return tf.io.encode_png(rgb).numpy()
        return tf.io.encode_jpeg(rgb, quality=95, chroma_downsampling=False).numpy()
    except tf.errors.OpError as error:
        # JPEG ends at 65,535 pixels a side.
        reason = error.message.split(" [Op:")[0].split("}} ")[-1]
        raise OSError(f"{reason} (shape={tuple(np.shape(rgb))})") from error


def _store(path, data, overwrite):
    # A short name of its own: beside a name of 255 bytes a longer one would not fit.
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not overwrite:
            _claim(path, temporary)
        else:
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _claim(path, temporary):
    """Gives `temporary` the name `path`, unless that name is taken, in one step."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (FAT, some network disks): the name is claimed empty, then filled.
        open(path, "xb").close()
        os.replace(temporary, path)


def _read_bytes(path):
    expected = f"{path}: expected a {_KINDS} picture. Received: "
    if not os.path.isfile(path):
        what = "a folder" if os.path.isdir(path) else "no such file"
        raise PictureError(f"{expected}{what}. Check the path.")
    try:
        with open(path, "rb") as file:
            start = file.read(16)
            kind = headers.kind_of(start)
            if not start:
                raise PictureError(f"{expected}an empty file. Copy it again.")
            if kind is None:
                raise PictureError(f"{expected}a file that is none of these. Save it as PNG.")
            return kind, start + file.read()
    except OSError as error:
        raise PictureError(f"{expected}{error.strerror or error}.") from error


def _decode(kind, data):
    try:
        if kind == "JPEG":
            # The default transform is up to ten levels off, which would show as lightness.
            return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE").numpy()
        if kind in ("PNG", "GIF"):
            return decode_in_graph(data).numpy()
    except tf.errors.OpError:
        return None
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        return None
