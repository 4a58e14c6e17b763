"""Between the levels of films and sRGB, by FFmpeg's scaler."""

import dataclasses
import functools

import numpy as np

from colorization.film import import_av

# Numbers of ITU-T H.273, and what FFmpeg's scaler calls these matrices.
_MATRICES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020"}
_LIMITED_RANGE, _FULL_RANGE = 1, 2
_KINDS = {np.dtype(np.uint8): "rgb24", np.dtype(np.uint16): "rgb48le"}


@dataclasses.dataclass(frozen=True)
class ColorTags:
    """How levels stand for colors, as numbers of ITU-T H.273.

    Attributes:
        matrix: Of luma and chroma.
        primaries: Of the color space.
        curve: Transfer characteristics.
        range: 1 for levels of 16 to 235, 2 for 0 to 255.
    """

    matrix: int
    primaries: int
    curve: int
    range: int


def read_tags(picture):
    """Reads the `ColorTags` of a decoded `av.VideoFrame`."""
    # What a film does not tell goes by size, as players take it.
    guess = 1 if picture.width >= 1280 or picture.height >= 720 else 6
    matrix = int(picture.colorspace)
    is_full = picture.color_range == _FULL_RANGE or picture.format.name.startswith("yuvj")
    return ColorTags(
        matrix=matrix if matrix in _MATRICES else guess,
        primaries=int(picture.color_primaries),
        curve=int(picture.color_trc),
        range=_FULL_RANGE if is_full else _LIMITED_RANGE,
    )


def to_rgb(picture, width, height, dtype, tags):
    """Converts a decoded frame, `av.VideoFrame`, to sRGB of shape `(height, width, 3)`.

    The type is `np.uint8` or `np.uint16`. A smaller result is averaged by triangles, as photos are.
    """
    converted = picture.reformat(
        width,
        height,
        _KINDS[np.dtype(dtype)],
        src_colorspace=_MATRICES[tags.matrix],
        src_color_range=tags.range,
        dst_color_range=_FULL_RANGE,
        interpolation=_accurate("BILINEAR" if width < picture.width else "BICUBIC"),
        threads=1,
    )
    return converted.to_ndarray()


def to_yuv(rgb, kind, tags):
    """Converts sRGB to a frame of FFmpeg's pixel format `kind`, such as `yuv420p`."""
    picture = import_av().VideoFrame.from_ndarray(rgb, format=_KINDS[rgb.dtype])
    converted = picture.reformat(
        format=kind,
        src_color_range=_FULL_RANGE,
        dst_colorspace=_MATRICES[tags.matrix],
        dst_color_range=tags.range,
        interpolation=_accurate("BICUBIC"),
        threads=1,
    )
    converted.colorspace, converted.color_range = tags.matrix, tags.range
    return converted


@functools.cache
def _accurate(name):
    from av.video.reformatter import Interpolation

    return Interpolation[name] | Interpolation.ACCURATE_RND
