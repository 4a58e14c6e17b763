"""Picture files in, headers and pixels out, inside a graph, for training and exported models.

A file is a scalar string tensor, whole. Reading headers never fails: bytes past the end of a file
count as 0. Photographs that people want colored are read by `pipelines.photos`, which knows more
kinds.

Sources: ITU-T T.81 (JPEG segments); CIPA DC-008 (Exif); W3C PNG, third edition; CompuServe GIF89a;
Microsoft's bitmap headers; Google's WebP container specification.
"""

import collections
import functools

import tensorflow as tf

MAX_PIXELS = 100_000_000
JPEG, PNG, GIF, BMP, _WEBP, _UNKNOWN = range(6)
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"RIFF")
_NAMES = ("JPEG", "PNG", "GIF", "BMP", "?", "?")
_ORIENTATION = 274
# Of segments, chunks or entries: a file of nothing else would keep its reader busy for hours.
_MOST_PARTS = 1000

Header = collections.namedtuple("Header", ["kind", "height", "width", "is_deep", "turn", "problem"])


def decode_in_graph(encoded):
    """Decodes one file's bytes inside a graph, as `tf.data` needs it.

    The file, a scalar string tensor, is a whole JPEG, PNG, GIF, BMP or opaque WebP; orientation is
    left as stored. Returns uint8 of shape `(height, width, 3)`: of an animation its first picture,
    of a gray file three equal channels. Raises `tf.errors.InvalidArgumentError` if the bytes are
    truncated, damaged or no picture.
    """
    picture = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    picture.set_shape([None, None, 3])
    return picture


def decode_window(encoded, choose_window, size, turn=None):
    """Decodes a part of an upright picture inside a graph, no finer than a crop needs it.

    Of a JPEG only the rows and columns of the window are decoded, and at a half, a quarter or an
    eighth of the size if the window's shorter side is then still `size`, that of the crop, or more.
    Of a pair, two files of shape `(2,)`, the same window of both is decoded; upright they must be
    of one size.

    `choose_window` is a function from a picture's int32 `[height, width]` to its window's int32
    `[top, left, height, width]`, in pixels of the whole, upright picture. `turn` is the Exif
    orientation, of a pair both; None: the pictures are stored upright.

    Returns uint8 of shape `(height, width, 3)`, or of a pair `(height, width, 6)`. Raises
    `tf.errors.InvalidArgumentError` if the bytes are no picture, or damaged where the window is.
    """
    if getattr(encoded, "shape", ()) == (2,):
        return _decode_windows(encoded, choose_window, size, turn)
    if turn is not None:
        return tf.cond(
            turn > 1,
            lambda: _decode_turned(encoded, choose_window, size, turn),
            lambda: decode_window(encoded, choose_window, size),
        )

    def at_ratio(window, ratio):
        return tf.image.decode_and_crop_jpeg(encoded, window // ratio, channels=3, ratio=ratio)

    def jpeg():
        window = choose_window(tf.io.extract_jpeg_shape(encoded)[:2])
        ratios = [1, 2, 4, 8]
        finer = tf.reduce_min(window[2:]) >= size * tf.constant(ratios[1:])
        branches = [functools.partial(at_ratio, window, ratio) for ratio in ratios]
        return tf.switch_case(tf.reduce_sum(tf.cast(finer, tf.int32)), branches)

    def other():
        picture = decode_in_graph(encoded)
        top, left, height, width = tf.unstack(choose_window(tf.shape(picture)[:2]))
        return picture[top : top + height, left : left + width]

    picture = tf.cond(tf.io.is_jpeg(encoded), jpeg, other)
    picture.set_shape([None, None, 3])
    return picture


def _decode_turned(encoded, choose_window, size, turn):
    is_swapped, over, across = describe_turn(turn)

    def stored_window(shape):
        """The window in pixels of the picture as it is stored."""
        shape = tf.where(is_swapped, shape[::-1], shape)
        window = choose_window(shape)
        start, lengths = window[:2], window[2:]
        start = tf.where(tf.stack([over, across]), shape - start - lengths, start)
        return tf.where(
            is_swapped,
            tf.concat([start[::-1], lengths[::-1]], axis=0),
            tf.concat([start, lengths], axis=0),
        )

    picture = upright(decode_window(encoded, stored_window, size), turn)
    picture.set_shape([None, None, 3])
    return picture


def _decode_windows(pair, choose_window, size, turn):
    parts = tf.unstack(pair)
    turns = [None, None] if turn is None else tf.unstack(turn)
    # Reduction moves a JPEG by less than a pixel: the same for both, if both are reduced and
    # turned alike.
    alike = tf.reduce_all([tf.io.is_jpeg(part) for part in parts])
    if turn is not None:
        alike &= turns[0] == turns[1]
    finest = tf.where(alike, size, tf.int32.max // 8)
    return tf.concat(
        [
            decode_window(part, choose_window, finest, one)
            for part, one in zip(parts, turns, strict=True)
        ],
        axis=-1,
    )


def read_header(encoded):
    """Reads what a file, a scalar string tensor, says of itself before it is decoded.

    Returns a `Header` of scalar tensors: `kind`, an index; `height` and `width` as stored, int64;
    whether it `is_deep`, of 16 bits; its `turn`, the Exif orientation from 1 to 8; and its
    `problem`, a text that says why it must not be decoded, empty if it may.
    """
    kind, (height, width, exif, depth, is_odd) = _describe(encoded)
    height = tf.abs(height)
    name = tf.gather(tf.constant(_NAMES), kind)
    shape = tf.strings.format("{} x {}", (width, height))
    problem = _first(
        (kind >= _WEBP, "a JPEG, PNG, GIF or BMP file was expected, not of another kind"),
        (is_odd > 0, tf.strings.join(["this sort of ", name, " can't be decoded here"])),
        ((height < 1) | (width < 1), tf.strings.join(["the header of this ", name, " is damaged"])),
        (
            height * width > MAX_PIXELS,
            tf.strings.join([f"up to {MAX_PIXELS:,} pixels were expected, not ", shape]),
        ),
    )
    return Header(kind, height, width, depth == 16, _turn_if_any(encoded, exif), problem)


# Traced once for all chains, of which a run has several.
@tf.function(input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
def read_orientation(encoded):
    """Reads the Exif orientation of a JPEG, PNG or WebP file: int64 from 1 to 8, 1 if none."""
    _, (_, _, exif, _, _) = _describe(encoded)
    return _turn_if_any(encoded, exif)


def upright(pixels, turn):
    """Turns pixels of shape `(height, width, channels)` the way up that an orientation asks for.

    From orientation 5 on height and width change places.
    """
    is_swapped, over, across = describe_turn(turn)
    pixels = tf.transpose(pixels, tf.where(is_swapped, [1, 0, 2], [0, 1, 2]))
    turned = tf.reverse(pixels, tf.boolean_mask([0, 1], tf.stack([over, across])))
    turned.set_shape([None, None, None])
    return turned


def describe_turn(turn):
    """Whether an orientation swaps height and width, and then mirrors rows, and columns."""
    over = tf.reduce_any(turn == [3, 4, 7, 8])
    across = tf.reduce_any(turn == [2, 3, 6, 7])
    return turn >= 5, over, across


def _turn_if_any(encoded, exif):
    return tf.cond(
        exif > 0,
        lambda: _turn(encoded, tf.cast(exif, tf.int32)),
        lambda: tf.constant(1, tf.int64),
    )


def _describe(encoded):
    """A file's kind, and its height, width, offset of Exif, depth, and whether it is odd."""
    starts = tf.stack([text(encoded, 0, len(start)) == start for start in _STARTS])
    kind = tf.where(tf.reduce_any(starts), tf.argmax(starts, output_type=tf.int32), _UNKNOWN)
    readers = [_jpeg_header, _png_header, _gif_header, _bmp_header, _webp_header]
    branches = [lambda read=read: read(encoded) for read in readers]
    numbers = tf.switch_case(kind, [*branches, lambda: _numbers(0, 0, 0, 8, 0)])
    return kind, tf.unstack(numbers)


def _gif_header(encoded):
    width, height = number(encoded, 6, 2, big=False), number(encoded, 8, 2, big=False)
    return _numbers(height, width, 0, 8, 0)


def _bmp_header(encoded):
    width, height = (_signed(number(encoded, at, 4, big=False)) for at in (18, 22))
    size, bits, packing = (number(encoded, *at, big=False) for at in ((14, 4), (28, 2), (30, 4)))
    is_plain = tf.reduce_any(bits == [8, 24, 32]) & tf.reduce_any(packing == [0, 3]) & (size >= 40)
    return _numbers(height, width, 0, 8, tf.where(is_plain & (size < 256), 0, 1))


def _png_header(encoded):
    width, height = number(encoded, 16, 4), number(encoded, 20, 4)

    def next_chunk(at, _):
        exif = tf.where(text(encoded, at + 4, 4) == b"eXIf", at + 8, 0)
        return _forward(encoded, at, 12 + number(encoded, at, 4)), exif

    def goes_on(at, exif):
        # Exif stands before the pixels, of which there may be thousands of chunks.
        name = text(encoded, at + 4, 4)
        return (exif == 0) & (name != b"IDAT") & (name != b"")

    _, exif = tf.while_loop(
        goes_on, next_chunk, (8, 0), parallel_iterations=1, maximum_iterations=_MOST_PARTS
    )
    return _numbers(height, width, exif, number(encoded, 24, 1), 0)


def _jpeg_header(encoded):
    def next_segment(at, frame, exif):
        marker = number(encoded, at + 1, 1)
        is_frame = (frame == 0) & tf.reduce_any(marker == [0xC0, 0xC1, 0xC2])
        is_exif = (marker == 0xE1) & (text(encoded, at + 4, 6) == b"Exif\0\0") & (exif == 0)
        # Before a marker there may be any number of bytes of 0xFF.
        length = tf.where(marker == 0xFF, tf.ones_like(marker), 2 + number(encoded, at + 2, 2))
        frame, exif = tf.where(is_frame, at + 4, frame), tf.where(is_exif, at + 10, exif)
        return _forward(encoded, at, length), frame, exif

    def goes_on(at, *_):
        marker = number(encoded, at, 2)
        return (marker >= 0xFF00) & (marker != 0xFFDA)

    _, frame, exif = tf.while_loop(
        goes_on, next_segment, (2, 0, 0), parallel_iterations=1, maximum_iterations=_MOST_PARTS
    )
    height, width = number(encoded, frame + 1, 2), number(encoded, frame + 3, 2)
    is_known = tf.reduce_any(number(encoded, frame + 5, 1) == [1, 3]) & (frame > 0)
    return _numbers(height, width, exif, 8, tf.where(is_known, 0, 1))


def _webp_header(encoded):
    def next_chunk(at, _):
        name, length = text(encoded, at, 4), number(encoded, at + 4, 4, big=False)
        # Some writers put the JPEG marker before the block.
        is_marked = text(encoded, at + 8, 6) == b"Exif\0\0"
        exif = tf.where(name == b"EXIF", tf.where(is_marked, at + 14, at + 8), 0)
        return _forward(encoded, at, 8 + length + length % 2), exif

    def goes_on(at, exif):
        return (exif == 0) & (text(encoded, at, 4) != b"")

    _, exif = tf.while_loop(
        goes_on, next_chunk, (12, 0), parallel_iterations=1, maximum_iterations=_MOST_PARTS
    )
    return _numbers(0, 0, exif, 8, 0)


def _turn(encoded, exif):
    """Orientation that the Exif block at offset `exif` asks for; 1 where it asks for none."""
    is_big = text(encoded, exif, 2) == b"MM"

    def read(at, count):
        return tf.where(is_big, *(number(encoded, at, count, big) for big in (True, False)))

    directory = _forward(encoded, exif, read(exif + 4, 4))
    end = _forward(encoded, directory, 2 + 12 * read(directory, 2))

    def goes_on(at, turn):
        return (at + 12 <= end) & (turn == 0)

    def next_entry(at, _):
        count = tf.where(read(at + 2, 2) == 3, 2, 4)
        value = tf.where(count == 2, read(at + 8, 2), read(at + 8, 4))
        return at + 12, tf.where(read(at, 2) == _ORIENTATION, value, tf.zeros_like(value))

    start = (directory + 2, tf.constant(0, tf.int64))
    _, turn = tf.while_loop(
        goes_on, next_entry, start, parallel_iterations=1, maximum_iterations=_MOST_PARTS
    )
    return tf.where((turn >= 1) & (turn <= 8), turn, tf.ones_like(turn))


def text(encoded, at, count):
    """Reads up to `count` bytes from offset `at` on; fewer, at the end of the file."""
    return tf.strings.substr(encoded, tf.minimum(at, tf.strings.length(encoded)), count)


def number(encoded, at, count, big=True):
    """Reads an unsigned integer of up to 4 bytes from offset `at`, an int32, on: an int64 scalar.

    `big` says that the first byte counts most.
    """
    values = tf.cast(tf.io.decode_raw(text(encoded, at, count), tf.uint8), tf.int64)
    values = tf.pad(values, [[0, count - tf.size(values)]])
    powers = [256**place for place in range(count)]
    return tf.reduce_sum(values * (powers[::-1] if big else powers))


def _signed(number):
    return number - 2**32 * tf.cast(number >= 2**31, tf.int64)


def _forward(encoded, at, length):
    """An offset that lies `length` bytes on, or at the end of the file."""
    end = tf.cast(tf.strings.length(encoded), tf.int64)
    return tf.cast(tf.minimum(tf.cast(at, tf.int64) + length, end), tf.int32)


def _numbers(*values):
    return tf.stack([tf.cast(value, tf.int64) for value in values])


def _first(*cases):
    """The text of the first condition that holds; an empty one where none does."""
    chosen = tf.constant("")
    for condition, other in reversed(cases):
        chosen = tf.where(condition, other, chosen)
    return chosen
