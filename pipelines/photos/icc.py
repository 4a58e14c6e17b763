"""Takes pixels from the color space that their ICC profile names to sRGB.

Source: ICC.1:2010; the conversion is relative colorimetric with black point compensation, as
photo editors do it, by Little CMS inside libvips.
"""

import functools
import itertools

import numpy as np
import pyvips

_BANDS = {"b-w": 1, "grey16": 1, "srgb": 3, "rgb16": 3, "cmyk": 4}
PROFILE = "icc-profile-data"


def srgb_profile():
    """Returns the bytes of the sRGB profile that files are tagged with."""
    return bytes(pyvips.Image.profile_load("srgb"))


def to_srgb(image):
    """Converts an image to sRGB.

    Untagged CMYK is taken for the standard one of libvips. A profile that is damaged, or meant for
    other channels, is ignored.

    Args:
        image: A `pyvips.Image` of gray, RGB or CMYK, 8 or 16 bits, with or without alpha.

    Returns:
        A `pyvips.Image` of 3 bands, and alpha where there was one, with the same bits.
    """
    depth = 16 if image.format == "ushort" else 8
    tagged = image.get_typeof(PROFILE) != 0
    bands = _BANDS[image.interpretation]
    kind = {1: "b-w", 3: "srgb", 4: "cmyk"}[bands]
    use = _use_of(bytes(image.get(PROFILE)), kind) if tagged else "none"
    if use == "convert":
        return _transform(image, depth, embedded=True)
    if tagged:
        image = image.copy()
        image.remove(PROFILE)
    if bands == 4:
        return _transform(image, depth, input_profile="cmyk")
    if bands == 1:
        return image[0].bandjoin([image[0], *(image[band] for band in range(image.bands))])
    return image


def lab_to_srgb(image, is_signed):
    """Converts samples of CIE L*a*b* (D50), as TIFF files hold them, to sRGB.

    Args:
        image: A `pyvips.Image` of 3 bands, 8 or 16 bits.
        is_signed: Whether a* and b* are two's complements; else, as in ICC profiles, they have an
            offset of 128.

    Returns:
        A `pyvips.Image` of 3 bands of sRGB, with the same bits.

    Source: TIFF 6.0, section 23; ICC.1:2010, 6.3.4.
    """
    depth = 16 if image.format == "ushort" else 8
    unit = 1 << (depth - 8)
    full = 255 * unit if is_signed is False else (1 << depth) - 1
    ab = image[1:] / unit
    ab = (ab > 127.999).ifthenelse(ab - 256, ab) if is_signed else ab - 128
    lab = (image[0] * (100 / full)).bandjoin(ab).copy(interpretation="lab")
    return lab.icc_export(output_profile="srgb", depth=depth, intent="relative")


def gamma_to_srgb(image, gamma):
    """Converts levels that are light to the power of `gamma` to sRGB.

    Args:
        image: A `pyvips.Image` of gray or RGB, 8 or 16 bits, with or without alpha.
        gamma: Exponent, as `headers.png_gamma` reads it.

    Returns:
        A `pyvips.Image` of the same sort.
    """
    colors = _BANDS[image.interpretation]
    full = 65_535 if image.format == "ushort" else 255
    light = (np.arange(full + 1) / full) ** (1 / gamma)
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    table = np.round(level * full).astype(np.uint16 if full > 255 else np.uint8)
    table = pyvips.Image.new_from_memory(table, full + 1, 1, 1, image.format)
    alpha = image[colors:] if image.bands > colors else None
    image = image[:colors].maplut(table).copy(interpretation=image.interpretation)
    return image if alpha is None else image.bandjoin(alpha)


@functools.lru_cache(maxsize=16)
def _use_of(profile, kind):
    """Whether a profile can be and must be applied: "convert" or "none"."""
    bands = _BANDS[kind]
    levels = np.linspace(0, 255, {1: 256, 3: 9, 4: 5}[bands]).astype(np.uint8)
    colors = np.array(list(itertools.product(levels, repeat=bands)), np.uint8)
    image = pyvips.Image.new_from_memory(colors, len(colors), 1, bands, "uchar")
    image = image.copy(interpretation=kind)
    image.set_type(pyvips.GValue.blob_type, PROFILE, profile)
    try:
        converted = _transform(image, 8, embedded=True)
        if converted.bands != 3:
            return "none"
        moved = np.abs(converted.numpy().reshape(-1, 3).astype(int) - colors) if bands < 4 else 255
    except pyvips.Error:
        return "none"
    # What moves no color is sRGB, and the pixels stay exact.
    return "convert" if np.max(moved) > 1 else "none"


def _transform(image, depth, **profile):
    return image.icc_transform(
        "srgb", depth=depth, intent="relative", black_point_compensation=True, **profile
    )
