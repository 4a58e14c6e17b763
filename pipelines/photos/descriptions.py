"""What a photo says of itself, by an image of libvips and the file; and pixels turned upright."""

import dataclasses

import numpy as np

from pipelines.photos import exif, headers, icc, metadata, tiff
from pipelines.photos.photo import Metadata, Photo

_UPRIGHT = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}


def orientation(kind, image, about):
    """Reads the way up of a file's pixels, from 1 to 8."""
    if kind.name == "TIFF":
        return image.get("orientation") if image.get_typeof("orientation") else 1
    if kind.name in ("GIF", "AVIF"):
        return 1  # What AVIF holds is turned by its decoder.
    turn = exif.orientation_of(about.exif) if about.exif else None
    # Files of programs that write no Exif, as older PNG, say it in XMP alone.
    return turn or (metadata.xmp_orientation(about.xmp) if about.xmp else None) or 1


def resolution(kind, image, data):
    """Resolution that the file gives outside Exif; None where libvips would guess 72."""
    if kind.name == "JPEG":
        return headers.jfif_resolution(data)
    if kind.name == "PNG":
        return headers.png_resolution(data)
    if kind.name == "TIFF" and 1 not in (image.xres, image.yres):
        return tuple(headers.per_inch(density, 25.4) for density in (image.xres, image.yres))
    return None


def metadata_of(image):
    """Collects the `Metadata` that libvips read."""

    def blob(name):
        return bytes(image.get(name)) if image.get_typeof(name) else None

    fields = image.get_fields()
    resources = blob("iptc-data") or blob("photoshop-data")
    for name in fields:
        if name.startswith("png-comment-") and name.endswith("Raw profile type iptc"):
            resources = metadata.resources_of_text(image.get(name))
    block = (blob("exif-data") or b"").removeprefix(b"Exif\0\0")
    return Metadata(
        exif=block or None,
        xmp=blob("xmp-data"),
        iptc=metadata.iptc_of_resources(resources) if resources else None,
        resolution=exif.resolution_of(block),
        tagged=icc.PROFILE in fields,
    )


def add_tiff_tags(about, block, start):
    """Adds what libvips does not say of a TIFF page."""
    # Photoshop says that IPTC are long numbers, and libtiff swaps them in big-endian files.
    iptc = block.raw(block.directory(start)[0], tiff.IPTC)
    return dataclasses.replace(
        about,
        exif=exif.build(exif.descriptive_tags(block, start)),
        iptc=(iptc and metadata.iptc_of_resources(iptc)) or about.iptc,
    )


def upright(pixels, turn, about):
    """Makes a `Photo` of pixels as they were stored, and of what the file said."""
    swapped = turn >= 5
    pixels = _UPRIGHT.get(turn, np.asarray)(pixels)
    turned = exif.upright(about.exif, swapped) if about.exif else None
    is_whole = {
        "Exif": not about.exif or turned,
        "XMP": not about.xmp or metadata.is_whole(about.xmp),
    }
    remarks = tuple(
        f"its {name} metadata are damaged and left out."
        for name, whole in is_whole.items()
        if not whole
    )
    about = dataclasses.replace(
        about,
        exif=turned,
        xmp=metadata.upright_xmp(about.xmp) if about.xmp and is_whole["XMP"] else None,
        resolution=about.resolution[::-1] if swapped and about.resolution else about.resolution,
    )
    alpha = np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None
    return Photo(np.ascontiguousarray(pixels[..., :3]), alpha, about, remarks)
