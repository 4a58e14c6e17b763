"""Photos in from requests: received into a folder of their own, refused before they are decoded.

Law of the file: no byte of a request names a path. A photo is told by its first bytes, and its size
by its header, by the same libraries that decode it.
"""

import contextlib
import dataclasses
import mmap
import os
import pathlib
import re
import shutil
import unicodedata

import pyvips

from colorization.serving.web.problems import Problem
from pipelines.photos import headers, netpbm

_LOADERS = {
    "JPEG": pyvips.Image.jpegload,
    "PNG": pyvips.Image.pngload,
    "GIF": pyvips.Image.gifload,
    "WebP": pyvips.Image.webpload,
    "AVIF": pyvips.Image.heifload,
}
# The first is what a name gets that says nothing, or something else.
_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WebP": (".webp",),
    "AVIF": (".avif",),
}
MEDIA_TYPES = {
    **dict.fromkeys((".jpg", ".jpeg"), "image/jpeg"),
    **dict.fromkeys((".tif", ".tiff"), "image/tiff"),
    ".png": "image/png",
    ".webp": "image/webp",
    ".avif": "image/avif",
}
# Each takes the network's time and a preview's bytes.
MAX_VARIANTS = 8
MAX_PAGES = 100
_LONGEST_NAME = 100
_FIELD = "photo"


@dataclasses.dataclass(frozen=True)
class Upload:
    """A photo that was received.

    Attributes:
        path: Where it lies.
        kind: What `headers.kind_of` says of it.
        num_pixels: Of all its pages together; 0 where its header does not say.
        name: Name for its colored version, safe to save by: no folders, no control characters.
    """

    path: pathlib.Path
    kind: str
    num_pixels: int
    name: str

    @property
    def suffix(self):
        """Suffix of the colored version: that of the photo's own kind, where it can be written."""
        return pathlib.Path(self.name).suffix.lower()


@dataclasses.dataclass(frozen=True)
class Options:
    """What a request asks for beside the photo; the fields are its parameters.

    Attributes:
        name: The photo's name at the client.
        num_variants: How many colorings are drawn, at least 1.
        variant: Number of the one that is wanted, from 1.
        seed: Another seed gives other variants; 0 to 2**31 - 1.
        saturation: What chroma is multiplied by, 0 to 2.
    """

    name: str = ""
    num_variants: int = 1
    variant: int = 1
    seed: int = 0
    saturation: float = 1.0


def read_options(values, max_variants):
    """Reads the parameters of a request.

    Args:
        values: Mapping from names to texts, with `keys` and `get`.
        max_variants: Most colorings that may be asked for.

    Returns:
        `Options`.

    Raises:
        Problem: If one is unknown or out of range.
    """
    known = [field.name for field in dataclasses.fields(Options)]
    for name in values:
        if name not in known:
            raise Problem(
                "bad-request", f"The parameters are {', '.join(known)}. Received: {name[:40]!r}."
            )
    count = _number(values, "num_variants", 1, 1, max_variants)
    return Options(
        values.get("name", ""),
        count,
        _number(values, "variant", 1, 1, count),
        _number(values, "seed", 0, 0, 2**31 - 1),
        _number(values, "saturation", 1.0, 0, 2),
    )


def _number(values, name, default, least, most):
    text = values.get(name)
    if text is None:
        return default
    value = None
    with contextlib.suppress(ValueError):
        value = type(default)(text)
    if value is None or not least <= value <= most:
        what = "a number" if isinstance(default, float) else "a whole number"
        raise Problem(
            "bad-request", f"{name} is {what} from {least} to {most}. Received: {text[:40]!r}."
        )
    return value


def receive(request, folder, options, max_bytes, max_pixels):
    """Stores the photo of a request.

    Args:
        request: Flask's: its body is a picture, or a form with one file in it.
        folder: Path of an empty folder.
        options: `Options`.
        max_bytes: Size of the largest file that is taken.
        max_pixels: Of the largest picture, all pages together.

    Returns:
        `Upload`.

    Raises:
        Problem: If there is no picture, or it is too large.
    """
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Problem("encoded-body", "Send the photo itself, without a Content-Encoding.")
    path, name = pathlib.Path(folder, "photo"), options.name
    if request.mimetype == "multipart/form-data":
        name = name or _store_file(request.files, path)
    else:
        with open(path, "xb") as file:
            shutil.copyfileobj(request.stream, file, 1 << 20)
    size = path.stat().st_size
    if not size:
        raise Problem("bad-request", "Expected a photo. Received: an empty body or file.")
    if size > max_bytes:
        raise Problem(
            "too-many-bytes",
            f"A photo may have up to {max_bytes:,} bytes here. Received: {size:,}.",
        )
    kind = _kind(path)
    return Upload(path, kind, _count_pixels(path, kind, max_pixels), safe_name(name, kind))


def _store_file(files, path):
    photos = [file for key in files for file in files.getlist(key)]
    if len(photos) != 1 or _FIELD not in files:
        names = ", ".join(sorted(files))[:80] or "none"
        raise Problem(
            "bad-request",
            f"Expected one file in a field named {_FIELD!r}. Received: {len(photos)} ({names}).",
        )
    photos[0].save(path)
    return photos[0].filename or ""


def _kind(path):
    with open(path, "rb") as file:
        kind = headers.kind_of(file.read(64))
    if kind is None:
        raise Problem(
            "no-picture",
            "Expected a JPEG, PNG, TIFF, WebP, AVIF, HEIC, GIF, BMP or PNM picture. Received: a "
            "file that is none of these, whatever its name says.",
        )
    return kind


def _count_pixels(path, kind, max_pixels):
    try:
        sizes = _sizes(path, kind)
    except (pyvips.Error, ValueError, LookupError):
        return 0  # The decoder says best what is wrong with it.
    total = sum(height * width for height, width in sizes)
    if total > max_pixels:
        height, width = sizes[0]
        pages = f" on {len(sizes)} pages" if len(sizes) > 1 else ""
        raise Problem(
            "too-many-pixels",
            f"A photo may have up to {max_pixels:,} pixels here. Received: {width} x {height}"
            f"{pages} = {total:,}. Make it smaller first.",
        )
    return total


def _sizes(path, kind):
    """Reads `(height, width)` of each page from the file's headers."""
    if kind in _LOADERS:
        return [_size(_LOADERS[kind](os.fspath(path), access="sequential"))]
    if kind == "TIFF":
        return _tiff_sizes(os.fspath(path))
    if kind == "HEIC":
        return _heic_sizes(path)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return [(netpbm.read_header if kind == "PNM" else headers.bmp_header)(data)[:2]]


def _size(image):
    return image.height, image.width


def _tiff_sizes(path):
    first = pyvips.Image.tiffload(path)
    count = first.get("n-pages")
    # To open a page takes the longer the more there are before it.
    if count > MAX_PAGES:
        raise Problem(
            "too-many-pages",
            f"A TIFF file may have up to {MAX_PAGES} pages here. Received: {count:,}. Split it.",
        )
    return [_size(first), *(_size(pyvips.Image.tiffload(path, page=n)) for n in range(1, count))]


def _heic_sizes(path):
    try:
        import pillow_heif

        width, height = pillow_heif.open_heif(path).size
    except Exception as error:
        # No such package, or SyntaxError, RuntimeError and more, none of them documented.
        raise ValueError("pillow-heif cannot read it") from error
    return [(height, width)]


def safe_name(name, kind):
    """Makes the name of a colored photo of the name that its original has at the client.

    Args:
        name: Any text.
        kind: What `headers.kind_of` says of the photo.

    Returns:
        For example `grandmother_color.jpg`: one part of a path, of at most 100 characters before
        `_color`, that hides on no system and holds nothing that breaks headers, shells or disks.
    """
    suffixes = _SUFFIXES.get(kind, (".png",))
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    # Control characters, marks that turn text around, halves of characters; then what Windows bars.
    name = "".join(char for char in name if unicodedata.category(char)[0] != "C")
    name = re.sub(r'[<>:"|?*]', "_", name)
    stem, suffix = os.path.splitext(name)
    stem = stem.strip(" .")[:_LONGEST_NAME] or "photo"
    suffix = suffix if suffix.lower() in suffixes else suffixes[0]
    return f"{stem}_color{suffix}"
