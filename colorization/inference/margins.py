"""Margins: paper, scanner and album page around a print, which must not change its colors.

A white border makes a faded print look like one of full contrast, and an album page makes four
prints look like one scene. So prints are found first, and each is colored for itself.
"""

import cv2
import numpy as np

from pipelines.color import arrays

# Longer side at which margins are looked for, in pixels.
_SIZE = 512
# Share of the shorter side that the outermost ring takes, and that gaps in a print may have.
_RING = 0.006
_GAP = 0.01
# What counts as one level with the margin, in L*: at least this, so many deviations of paper, and
# at most that.
_TOLERANCE, _DEVIATIONS, _MOST = 5.0, 5.0, 15.0
# A ring is a margin if so many of its pixels have its level.
_UNIFORM = 0.93
# A print covers so much of the picture, and so much of its own box, which a thing on a plain
# background does not.
_SMALLEST, _FILL = 0.03, 0.93
# Or, where a print has the level of its margin here and there: so much of each of its sides.
_SIDE = 0.5


def find_prints(rgb):
    """Finds the prints in a picture whose margins are plain: white, black, or paper.

    Returns boxes `(top, left, bottom, right)` in pixels, the latter two exclusive, from the top and
    the left. A picture without margins is one box of all of it.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, _SIZE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = arrays.lightness(_shrink(rgb, size))
    boxes = _find(small)
    if boxes != [(0, 0, *small.shape)]:
        # A print on an album page has a border of its own, too.
        boxes = [inner for box in boxes for inner in _find_within(small, box)]
    steps = (height / size[1], width / size[0])
    return sorted(_enlarge(box, steps, (height, width)) for box in boxes)


def _shrink(rgb, size):
    # By halves first, which OpenCV does ten times as fast as other shares.
    while min(rgb.shape[0] / size[1], rgb.shape[1] / size[0]) >= 4:
        height, width = (side // 2 for side in rgb.shape[:2])
        even = rgb[: 2 * height, : 2 * width]
        rgb = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def within(box, shape):
    """The part of a print that is surely free of its margin, for a network to see.

    `box` is one of `find_prints`, `shape` height and width of the picture, at whose edges there is
    no margin. Returns a pair of slices, of rows and of columns.
    """
    slices = []
    for start, stop, size in zip(box[:2], box[2:], shape, strict=True):
        inset = (stop - start) // 100
        slices.append(slice(start + inset * (start > 0), stop - inset * (stop < size)))
    return tuple(slices)


def scaled(box, shape, new_shape):
    """The place of a print in the same picture at another size, as a pair of slices."""
    slices = []
    for start, stop, size, new_size in zip(box[:2], box[2:], shape, new_shape, strict=True):
        # Of a tiny copy, too, a print has a pixel.
        first = min(round(start * new_size / size), new_size - 1)
        slices.append(slice(first, max(round(stop * new_size / size), first + 1)))
    return tuple(slices)


def _enlarge(box, steps, shape):
    edges = [edge * steps[i % 2] for i, edge in enumerate(box)]
    top, left = (int(np.floor(edge)) for edge in edges[:2])
    bottom, right = (min(int(np.ceil(e)), n) for e, n in zip(edges[2:], shape, strict=True))
    return top, left, bottom, right


def _find_within(lightness, box):
    # The outermost pixels of the box are mixed with what is outside.
    mixed = 2
    top, left = box[0] + mixed, box[1] + mixed
    part = lightness[top : box[2] - mixed, left : box[3] - mixed]
    found = _find(part)
    if found == [(0, 0, *part.shape)]:
        return [box]
    return [(top + t, left + x, top + b, left + r) for t, x, b, r in found]


def _find(lightness):
    """Boxes of the prints within one picture of the size they are looked for at."""
    height, width = lightness.shape
    whole = [(0, 0, height, width)]
    shorter = min(height, width)
    if shorter < 32:
        return whole
    ring = max(1, round(_RING * shorter))
    smooth = cv2.medianBlur(np.float32(lightness), 3)
    inside = np.zeros(smooth.shape, bool)
    inside[ring:-ring, ring:-ring] = True
    border = smooth[~inside]
    level = np.median(border)
    deviation = 1.48 * np.median(np.abs(border - level))
    tolerance = min(max(_TOLERANCE, _DEVIATIONS * deviation), _MOST)
    is_level = np.abs(smooth - level) <= tolerance
    if is_level[~inside].mean() < _UNIFORM:
        return whole
    boxes = _filled_boxes(~_connected_to_border(is_level), max(3, round(_GAP * shorter)))
    around = np.ones(smooth.shape, bool)
    for top, left, bottom, right in boxes:
        around[top:bottom, left:right] = False
    # Windows of a room are boxes too, but what is around them is no paper.
    is_plain = around.any() and is_level[around].mean() >= _UNIFORM
    return boxes if boxes and is_plain else whole


def _connected_to_border(mask):
    """The part of a mask that hangs together with the picture's border."""
    framed = np.pad(mask.astype(np.uint8), 1, constant_values=1)
    _, labels = cv2.connectedComponents(framed, connectivity=4)
    return (labels == labels[0, 0])[1:-1, 1:-1]


def _filled_boxes(mask, gap):
    """Boxes of the large parts of a mask, if all of them fill theirs; none otherwise."""
    height, width = mask.shape
    # Opening takes away what touches a print without being part of it: dust and scratches.
    kernel = np.ones((gap, gap), np.uint8)
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    # From outside in, so that what a print has of the margin's level within it counts as filled.
    filled = ~_connected_to_border(opened == 0)
    _, _, parts, _ = cv2.connectedComponentsWithStats(filled.astype(np.uint8), connectivity=4)
    boxes = []
    for left, top, box_width, box_height, area in parts[1:]:
        if box_width * box_height < _SMALLEST * height * width:
            continue
        box = (int(top), int(left), int(top + box_height), int(left + box_width))
        if area < _FILL * box_width * box_height and _side_share(opened, box) < _SIDE:
            return []
        boxes.append(box)
    return boxes


def _side_share(mask, box):
    """Share of the mask along the side of a box that has least of it, a pixel within."""
    top, left, bottom, right = box
    part = mask[top:bottom, left:right]
    return min(part[1].mean(), part[-2].mean(), part[:, 1].mean(), part[:, -2].mean())
