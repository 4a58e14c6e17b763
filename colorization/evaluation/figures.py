"""The table of figures: what a reader must know of each.

Law of the file: the figure of a set is the mean over its photos, save for `auc-balanced` and those
of sets of feature vectors.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a reader must know of a figure.

    Args:
        better: `higher`, `lower`, or `truth`: the nearer to the truth's, the better.
        digits: Printed behind the point.
        scale: What it is multiplied by where it is printed.
        version: Raised when its definition changes; part of the protocol.
    """

    better: str
    digits: int
    scale: int = 1
    version: int = 1


FIGURES = {
    "psnr": Figure("higher", 2),
    "ssim": Figure("higher", 4),
    "ciede2000": Figure("lower", 2),
    "ab-error": Figure("lower", 2),
    "auc": Figure("higher", 2),
    "auc-balanced": Figure("higher", 2),
    "colorfulness": Figure("truth", 2),
    "colorfulness-absolute": Figure("truth", 2),
    "colorfulness-gap": Figure("truth", 2),
    "lightness-drift": Figure("lower", 3),
    "checkerboard": Figure("truth", 2),
    "bleeding": Figure("lower", 3),
    "best-of-n-ab-error": Figure("lower", 2),
    "diversity-ab": Figure("higher", 2),
}
