"""A photo: its pixels and metadata."""

import dataclasses

import numpy as np

from pipelines.errors import UserError

# In a file, all its pages together.
MAX_PIXELS = 500_000_000


class PictureError(UserError):
    """A picture that can't be read, colored or written."""


class TakenError(PictureError):
    """The file to write exists already."""


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What is carried over from a photo to its colored version.

    An Exif block, from its byte order on, an XMP packet, IPTC-NAA data sets; `(horizontal,
    vertical)` pixels per inch; and whether the file had an ICC profile, so that the next one gets
    one, of sRGB.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    resolution: tuple[float, float] | None = None
    tagged: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Photo:
    """One page of a photo file.

    Args:
        rgb: uint8 or uint16 array of shape `(height, width, 3)`: sRGB over the full range of the
            type, upright, C-contiguous.
        alpha: Array of the same type, of shape `(height, width)`, not multiplied into `rgb`; or
            None.
        metadata: A `Metadata`.
        remarks: Strings that say what was left out of the file or repaired.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = Metadata()
    remarks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Note:
    """The name and the version of the model that computed a photo's colors."""

    model: str
    version: str


def eight_bits(pixels):
    """Rounds uint16 pixels to the nearest level of uint8; uint8 ones come back as they are."""
    if pixels.dtype == np.uint8:
        return pixels
    # In whole numbers.
    return ((pixels * np.uint32(255) + 32_895) >> 16).astype(np.uint8)
