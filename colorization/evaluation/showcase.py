"""The pictures that an evaluation shows: the best, the median and the worst.

They are chosen by CIEDE2000 of the first system when all photos are measured, and colored again, so
that no other photo is kept. Pictures are uint8 sRGB of shape `(height, width, 3)`.
"""

import dataclasses

import cv2
import numpy as np

from colorization import pages
from colorization.evaluation import data as photos
from pipelines.color.gray import to_gray

KINDS = ("best", "median", "worst")
FIGURE = "ciede2000"
NUM_SHOWN = 4
# Largest width and height, in pixels.
SIZE = (480, 300)
# Of the sheet, in pixels.
_WIDTH, _CELL, _GAP, _LINE = 1920, (312, 150), 8, 22
_BACKGROUND = 119


@dataclasses.dataclass(frozen=True)
class Shown:
    """A photo as it is shown.

    Args:
        kind: One of `KINDS`.
        name: Of the photo.
        values: Dict of its figures.
        pictures: Small ones: gray, colored and the photo itself.
    """

    kind: str
    name: str
    values: dict
    pictures: tuple

    def caption(self, name):
        """What stands under a photo: its kind, two figures and its name."""
        delta, psnr = self.values[FIGURE], self.values["psnr"]
        return f"{self.kind}: CIEDE2000 {delta:.1f}, PSNR {psnr:.1f}, {name}"


def choose(values):
    """Positions of the best, the median and the worst, none of them twice, by kind.

    The less a value, the better. At most `NUM_SHOWN` of a kind are listed, the best first.
    """
    order = np.argsort(values, kind="stable").tolist()
    number = min(NUM_SHOWN, len(order) // 3)
    if not number:
        return {"best": order[:1], "median": [], "worst": order[1:]}
    start = (len(order) - number) // 2
    middle = order[start : start + number]
    return {"best": order[:number], "median": middle, "worst": order[-number:]}


def show(data, found, system):
    """Reads and colors the chosen photos again: a list of `Shown`, the best first.

    A photo that changed meanwhile is left out.
    """
    measured = found.measured[system.name]
    chosen = choose([one.values[FIGURE] for one in measured])
    # Of copies under one name any will do, as long as it is the same file.
    kinds = {found.digests[i]: (i, kind) for kind, rows in chosen.items() for i in rows}
    names = {found.names[i] for i, _ in kinds.values()}
    shown = {}
    for name, element in data.jobs():
        if name not in names:
            continue
        try:
            photo, digest = photos.read(data.source, name, element)
        except photos.LeftOutError:
            continue
        if digest in kinds:
            position, kind = kinds[digest]
            gray = to_gray(photo)
            pictures = (gray, system.color(gray, photo)[0], photo)
            small = tuple(pages.fit(picture, *SIZE) for picture in pictures)
            shown[position] = Shown(kind, name, measured[position].values, small)
    return [shown[i] for rows in chosen.values() for i in rows if i in shown]


def sheet(title, shown):
    """Sets photos in rows, each as gray, colored and itself: uint8, `_WIDTH` wide."""
    bands = [_text(title, _WIDTH, 0.6)]
    for kind in KINDS:
        row = []
        for block in (_block(one) for one in shown if one.kind == kind):
            if sum(one.shape[1] for one in [*row, block]) > _WIDTH:
                bands.append(_join(row))
                row = []
            row.append(block)
        bands += [_join(row)] if row else []
    return np.concatenate(bands)


def _block(shown):
    """The pictures of a photo side by side, over a line of text."""
    margins = ((0, 0), (_GAP // 2, _GAP // 2), (0, 0))
    small = [pages.fit(picture, *_CELL) for picture in shown.pictures]
    pictures = np.hstack([np.pad(one, margins, constant_values=_BACKGROUND) for one in small])
    caption = shown.caption(shown.name.rpartition("/")[2])
    return np.concatenate([pictures, _text(caption, pictures.shape[1], 0.4)])


def _join(blocks):
    """Blocks side by side, on a band as wide as the sheet."""
    band = np.full((max(map(len, blocks)) + _GAP, _WIDTH, 3), _BACKGROUND, np.uint8)
    left = 0
    for block in blocks:
        height, width = block.shape[:2]
        band[:height, left : left + width] = block
        left += width
    return band


def _text(text, width, scale):
    line = np.full((_LINE, width, 3), _BACKGROUND, np.uint8)
    # The font has no other letters.
    plain = text.encode("ascii", "replace").decode()
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(line, plain, (_GAP, 15), font, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return line
