"""What the ways of asking for colors do with an upload, in a thread of the work queue."""

import base64
import dataclasses
import math

import cv2
import numpy as np

from colorization.serving.web import uploads
from colorization.serving.web.problems import Problem
from pipelines.color import gray
from pipelines.errors import UserError
from pipelines.photos import photo_files

PREVIEW_SIDE = 1600
_JPEG_QUALITY, _WEBP_QUALITY = 88, 90


def preview(colorizer, upload, options):
    """Colors a small copy of an `Upload`'s first page in several ways: a dict, as the API says.

    Raises `Problem` if the photo is damaged, or hints don't suit it.
    """
    try:
        pages = photo_files.read_photo(upload.path)
        page = pages[0]
        before = _small(page.rgb)
        colored = colorizer.variants(page.rgb, options.num_variants, options, onto=before)
    except UserError as error:
        raise _problem(error, upload) from error
    height, width = page.rgb.shape[:2]
    alpha = None if page.alpha is None else _small(page.alpha)
    return {
        "name": upload.name,
        "kind": upload.kind.name,
        "width": width,
        "height": height,
        "num_pages": len(pages),
        "has_colors": gray.has_colors(page.rgb),
        "seed": options.seed,
        "saturation": options.saturation,
        "before": _data_url(before, alpha),
        "variants": [_data_url(rgb, alpha) for rgb in colored],
    }


def colorize(colorizer, upload, options):
    """Colors a photo, all pages, at its own size and depth, with its metadata.

    It goes to the `Upload`'s folder; the colored file is returned opened: it may be unlinked.
    Raises `Problem` if the photo is damaged, hints don't suit it, or the model sees no such
    variant.
    """
    destination = upload.path.with_name(f"colored{upload.suffix}")
    if options.variant in (None, 1):
        # The likeliest needs no draw of the others.
        options = dataclasses.replace(options, num_variants=1, variant=1)
    try:
        written = colorizer.colorize_file(upload.path, destination, options)
    except UserError as error:
        raise _problem(error, upload) from error
    if not written:
        raise Problem(
            "no-such-variant",
            "The model sees fewer colorings of this photo than were asked for. "
            f"Received: variant={options.variant}. Take a lower one, or another seed.",
        )
    return open(destination, "rb")


def suggest(colorizer, upload, options, x, y):
    """Tells which colors are likely at a place of a photo's first page: a dict, as the API says.

    `x` and `y` are column and row in the photo's own pixels. Raises `Problem` if the photo is
    damaged, there is no such place, or the model suggests no colors.
    """
    try:
        found = colorizer.suggest(upload.path, x, y, options)
    except UserError as error:
        raise _problem(error, upload) from error
    return {"suggestions": [dataclasses.asdict(suggestion) for suggestion in found]}


def _problem(error, upload):
    # The client must not learn, nor care, where its photo lay.
    line = str(error)
    for path in sorted(upload.path.parent.glob("*"), reverse=True):
        line = line.replace(f"{path}: ", "")
    is_picture = isinstance(error, photo_files.PictureError)
    return Problem("unusable-picture" if is_picture else "unusable-hints", uploads.sentence(line))


def _small(pixels):
    """A picture in eight bits with no side longer than `PREVIEW_SIDE`."""
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    height, width = pixels.shape[:2]
    scale = min(1.0, PREVIEW_SIDE / max(height, width))
    size = max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _data_url(rgb, alpha):
    if alpha is None:
        kind, pixels = "jpeg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    else:
        kind, pixels = "webp", cv2.cvtColor(np.dstack([rgb, alpha]), cv2.COLOR_RGBA2BGRA)
        options = [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY]
    _, data = cv2.imencode(f".{kind}", pixels, options)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
