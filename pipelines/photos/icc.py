"""Takes pixels from the color space that their ICC profile names to sRGB.

Source: ICC.1:2010; the conversion is relative colorimetric with black point compensation, as
photo editors do it, by Little CMS inside libvips.
"""

import functools
import itertools
import struct

import numpy as np
import pyvips

# Channels of color by libvips' interpretation of an image.
BANDS = {"b-w": 1, "grey16": 1, "srgb": 3, "rgb16": 3, "cmyk": 4}
PROFILE = "icc-profile-data"


def srgb_profile():
    """Returns the bytes of the sRGB profile that files are tagged with."""
    return bytes(pyvips.Image.profile_load("srgb"))


def to_srgb(image):
    """Converts an image of gray, RGB or CMYK, 8 or 16 bits, with or without alpha, to sRGB.

    Untagged CMYK is taken for the standard one of libvips. A profile of RGB holds for gray levels
    too; one that is damaged, or meant for other channels, is ignored. Returns `(image, remarks)`: a
    `pyvips.Image` of 3 bands, and alpha where there was one, with the same bits; and strings as in
    `Photo.remarks`.
    """
    depth = 16 if image.format == "ushort" else 8
    profile = bytes(image.get(PROFILE)) if image.get_typeof(PROFILE) else None
    bands = BANDS[image.interpretation]
    if bands == 1 and profile and profile[16:20] == b"RGB ":
        image, bands = _three_bands(image), 3
    kind = {1: "b-w", 3: "srgb", 4: "cmyk"}[bands]
    use = _use_of(profile, kind) if profile else None
    if use == "convert":
        return _transform(image, depth, embedded=True), ()
    if profile:
        image = image.copy()
        image.remove(PROFILE)
    if bands == 4:
        image = _transform(image, depth, input_profile="cmyk")
    elif bands == 1:
        image = _three_bands(image)
    damaged = "its color profile is damaged or meant for other channels, and ignored."
    return image, (damaged,) if use == "ignore" else ()


def _three_bands(image):
    joined = image[0].bandjoin([image[0], *(image[band] for band in range(image.bands))])
    return joined.copy(interpretation={"ushort": "rgb16", "uchar": "srgb"}[image.format])


def lab_to_srgb(image, is_signed):
    """Converts samples of CIE L*a*b* (D50), as TIFF files hold them, to sRGB.

    The image has 3 bands of 8 or 16 bits, as has the result. `is_signed` says whether a* and b* are
    two's complements; else, as in ICC profiles, they have an offset of 128.

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

    The image is gray or RGB, of 8 or 16 bits, with or without alpha, as is the result; `gamma` is
    as `headers.png_gamma` reads it.
    """
    colors = BANDS[image.interpretation]
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
    """What is to be done by a profile: "convert", "nothing", or "ignore" one that can't be used."""
    if not _is_whole(profile, kind):
        return "ignore"
    bands = BANDS[kind]
    levels = np.linspace(0, 255, {1: 256, 3: 9, 4: 5}[bands]).astype(np.uint8)
    colors = np.array(list(itertools.product(levels, repeat=bands)), np.uint8)
    image = pyvips.Image.new_from_memory(colors, len(colors), 1, bands, "uchar")
    image = image.copy(interpretation=kind)
    image.set_type(pyvips.GValue.blob_type, PROFILE, profile)
    try:
        converted = _transform(image, 8, embedded=True)
        if converted.bands != 3:
            return "ignore"
        moved = np.abs(converted.numpy().reshape(-1, 3).astype(int) - colors) if bands < 4 else 255
    except pyvips.Error:
        return "ignore"
    # What moves no color is sRGB, and the pixels stay exact.
    return "convert" if np.max(moved) > 1 else "nothing"


def _is_whole(profile, kind):
    """Whether a profile is whole and of this kind; in place of others libvips takes its own."""
    spaces = {"b-w": b"GRAY", "srgb": b"RGB ", "cmyk": b"CMYK"}
    if len(profile) < 132 or profile[36:40] != b"acsp" or profile[16:20] != spaces[kind]:
        return False
    (count,) = struct.unpack_from(">I", profile, 128)
    if not 0 < count <= (len(profile) - 132) // 12:
        return False
    tags = struct.iter_unpack(">4sII", profile[132 : 132 + 12 * count])
    return all(start + size <= len(profile) for _, start, size in tags)


def _transform(image, depth, **profile):
    return image.icc_transform(
        "srgb", depth=depth, intent="relative", black_point_compensation=True, **profile
    )
