"""What the network sees of a photo: its prints without margins, small, without halftone dots.

Margins are paper, scanner and album page around a print, which must not change its colors. A white
border makes a faded print look like one of full contrast, and an album page makes four prints look
like one scene. So prints are found first, and each is colored for itself.

The dots of printed pictures cost colors. A screen repeats itself over the whole print, so that a
few frequencies stand far above all others. The photo itself keeps its dots.
"""

import concurrent.futures

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
_FILLED_SIDE = 0.5
# Of what the network sees: the longer side over the shorter.
MAX_ASPECT = 4
# Lobes of the filter that shrinks, "lanczos3" of TensorFlow.
_LANCZOS = 3
# Rows or columns of the result that are made at a time, so that few are kept as floats.
_BLOCK = 4
# Pixels a side that screens are looked for in, from the least on, and the finest and the widest, in
# pixels from dot to dot.
_LEAST, _SIDE, _FINEST, _WIDEST = 64, 256, 2.2, 10.0
# A screen's power over the median of frequencies about as high. Of 196 photos without, the most
# were 1,293 and 611; of 8 with screens, at 11 pitches and angles, the least was 5,261.
_STANDS_OUT, _ABOUT = 3000, 1.15
# Least amplitude in L*, and least share of the power that the other direction of a screen has.
_FAINTEST, _SQUARE = 2.0, 0.1
# The deviation of the filter that takes a screen away, in distances from dot to dot.
_REACH = 0.5


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
        if area < _FILL * box_width * box_height and _side_share(opened, box) < _FILLED_SIDE:
            return []
        boxes.append(box)
    return boxes


def _side_share(mask, box):
    """Share of the mask along the side of a box that has least of it, a pixel within."""
    top, left, bottom, right = box
    part = mask[top:bottom, left:right]
    return min(part[1].mean(), part[-2].mean(), part[:, 1].mean(), part[:, -2].mean())


def working_shape(height, width, working_size, size_multiple):
    """Height and width that the network sees: never larger than the photo, save for rounding.

    `working_size` is the short side of what it sees, in pixels; both sides are rounded to multiples
    of `size_multiple`.
    """
    sides = np.array([height, width], np.float32)
    limit = np.float32(working_size)
    shrink = min(limit / sides.min(), MAX_ASPECT * limit / sides.max(), np.float32(1))
    # Half to even, as TensorFlow rounds.
    multiples = np.maximum(np.round(sides * shrink / np.float32(size_multiple)), 1)
    return tuple(int(multiple) * size_multiple for multiple in multiples)


def seen(rgb, description):
    """What the network of a model sees of a photo: L* of shape `(1, h, w, 1)`.

    The dots of a print are blurred. `description` is the model's, with `working_size` and
    `size_multiple`.
    """
    sizes = description["working_size"], description["size_multiple"]
    return smooth_screen(lightness(rgb, working_shape(*rgb.shape[:2], *sizes)))


def lightness(rgb, shape):
    """Lightness of a photo at the working size: L* of shape `(1, h, w, 1)`.

    Shrinks the gamma-encoded levels as `graph_steps.shrink_sharply` does.
    """
    height, width = rgb.shape[:2]
    narrow = np.empty((3, shape[0], width), np.float32)

    def shrink(block):
        start, stop, first, weights = block
        planes = cv2.split(rgb[first : first + weights.shape[1]])
        if arrays.are_equal(planes):
            planes = planes[:1]
        for channel, plane in enumerate(planes):
            # Not a product of matrices: its threads wait for one another at full load.
            np.einsum("ok,kw->ow", weights, np.float32(plane), out=narrow[channel, start:stop])
        narrow[len(planes) :, start:stop] = narrow[:1, start:stop]

    with concurrent.futures.ThreadPoolExecutor(cv2.getNumThreads()) as pool:
        for _ in pool.map(shrink, _blocks(height, shape[0])):
            pass
    small = np.empty((3, *shape), np.float32)
    for start, stop, first, weights in _blocks(width, shape[1]):
        block = narrow[..., first : first + weights.shape[1]]
        np.einsum("ok,chk->cho", weights, block, out=small[..., start:stop])
    levels = np.clip(small.transpose(1, 2, 0) / np.iinfo(rgb.dtype).max, 0, 1)
    return arrays.rgb_to_lightness(levels)[None]


def _blocks(size, new_size):
    """Yields `(start, stop, first, weights)`: places of the result, and how they are made.

    `weights` is of shape `(stop - start, number)`, for as many places from `first` on.
    """
    scale = size / new_size
    width = max(scale, 1.0)
    reach = _LANCZOS * width
    for start in range(0, new_size, _BLOCK):
        stop = min(start + _BLOCK, new_size)
        centers = (np.arange(start, stop) + 0.5) * scale
        first = max(int(np.floor(centers[0] - reach - 0.5)), 0)
        last = min(int(np.ceil(centers[-1] + reach + 0.5)), size)
        places = np.arange(first, last) + 0.5
        distances = (places - centers[:, None]) / width
        weights = np.sinc(distances) * np.sinc(distances / _LANCZOS)
        weights[np.abs(distances) > _LANCZOS] = 0
        weights /= weights.sum(axis=1, keepdims=True)
        yield start, stop, first, weights.astype(np.float32)


def smooth_screen(lightness):
    """Blurs a halftone screen away, and nothing where there is none.

    L* is of shape `(1, height, width, 1)`, at the size that the network sees, and so is the result.
    """
    plane = lightness[0, ..., 0]
    pitch = measure_screen(plane)
    if pitch is None:
        return lightness
    return cv2.GaussianBlur(plane, (0, 0), _REACH * pitch)[None, ..., None]


def measure_screen(plane):
    """Measures a halftone screen in L* of shape `(height, width)`: pixels from dot to dot.

    None where there is no screen, or too little of the picture.
    """
    height, width = (min(side, _SIDE) for side in plane.shape)
    if min(height, width) < _LEAST:
        return None
    top, left = (plane.shape[0] - height) // 2, (plane.shape[1] - width) // 2
    part = np.float32(plane[top : top + height, left : left + width])
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    power = np.abs(np.fft.rfft2((part - part.mean()) * window)) ** 2
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    frequency = np.hypot(down, across)
    is_screen = (frequency > 1 / _WIDEST) & (frequency < 1 / _FINEST)
    peak = np.unravel_index(np.argmax(np.where(is_screen, power, -1)), power.shape)
    ratio = frequency / frequency[peak]
    usual = np.median(power[(ratio > 1 / _ABOUT) & (ratio < _ABOUT)])
    if power[peak] < max(_STANDS_OUT * usual, (_FAINTEST * height * width / 8) ** 2):
        return None
    # Dots repeat at right angles too; fences and blinds do not.
    turned = np.array([across[peak[1]], -down[peak[0], 0]])
    turned *= np.sign(turned[1]) or 1
    is_turned = np.hypot(down - turned[0], across - turned[1]) < 2 / min(height, width)
    return 1 / frequency[peak] if power[is_turned].max() > _SQUARE * power[peak] else None
