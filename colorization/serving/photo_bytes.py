"""Encoded photos in, encoded photos out, inside a graph that needs no code beside it.

Law of the file: a file is a scalar string tensor, whole; pixels are uint8 or uint16 sRGB. Nothing
here fails: bytes beyond the end of a file count as 0, a header says whether its file may be
decoded, and a file that can't be is an empty picture.

Sources: ITU-T T.81 (JPEG segments); CIPA DC-008 (Exif); W3C PNG, third edition; CompuServe GIF89a;
Microsoft's bitmap headers.
"""

import collections

import tensorflow as tf

MAX_PIXELS = 100_000_000
_JPEG, _PNG, _GIF, _BMP, _UNKNOWN = range(5)
_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
_NAMES = ("JPEG", "PNG", "GIF", "BMP", "?")
_ORIENTATION = 274

Header = collections.namedtuple("Header", ["kind", "height", "width", "is_deep", "turn", "problem"])


def read_header(encoded):
    """Reads what a file says of itself before it is decoded.

    Args:
        encoded: Scalar string tensor.

    Returns:
        A `Header` of scalar tensors: `kind`, an index; `height` and `width` as stored, int64;
        whether it `is_deep`, of 16 bits; its `turn`, the Exif orientation from 1 to 8; and its
        `problem`, a text that says why it must not be decoded, empty if it may.
    """
    starts = tf.stack([_starts_with(encoded, start) for start in _STARTS])
    kind = tf.where(tf.reduce_any(starts), tf.argmax(starts, output_type=tf.int32), _UNKNOWN)
    about = [_jpeg_header, _png_header, _gif_header, _bmp_header, _no_header]
    numbers = tf.switch_case(kind, [lambda read=read: read(encoded) for read in about])
    height, width, exif, depth, is_odd = tf.unstack(numbers)
    height = tf.abs(height)
    name = tf.gather(tf.constant(_NAMES), kind)
    shape = tf.strings.format("{} x {}", (width, height))
    problem = _first(
        (kind == _UNKNOWN, "a JPEG, PNG, GIF or BMP file was expected, not of another kind"),
        (is_odd > 0, tf.strings.join(["this sort of ", name, " can't be decoded here"])),
        ((height < 1) | (width < 1), tf.strings.join(["the header of this ", name, " is damaged"])),
        (
            height * width > MAX_PIXELS,
            tf.strings.join([f"up to {MAX_PIXELS:,} pixels were expected, not ", shape]),
        ),
    )
    turn = tf.cond(
        exif > 0,
        lambda: _turn(encoded, tf.cast(exif, tf.int32)),
        lambda: tf.constant(1, tf.int64),
    )
    return Header(kind, height, width, depth == 16, turn, problem)


def decode(encoded, kind, depth):
    """Decodes a file that `read_header` finds no problem in.

    Args:
        encoded: Scalar string tensor.
        kind: `Header.kind`.
        depth: `tf.uint8`, or `tf.uint16` for a PNG file of 16 bits.

    Returns:
        Tensor of type `depth` and shape `(height, width, 3)`, or 4 where a PNG file has
        transparency; as stored, not turned. Of shape `(0, 0, 0)` where the file is damaged.
    """

    def pixels(data):
        if depth == tf.uint16:
            return _decode_png(data, depth)
        decoders = [_decode_jpeg, _decode_png, _decode_gif, _decode_bmp]
        return tf.switch_case(kind, [lambda read=read: read(data) for read in decoders])

    # A graph has no other way to go on after an operation that fails.
    attempt = tf.data.Dataset.from_tensors(encoded).map(pixels).ignore_errors()
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    decoded = attempt.with_options(options).reduce(tf.zeros([0, 0, 0], depth), lambda _, new: new)
    decoded.set_shape([None, None, None])
    return decoded


def upright(pixels, turn):
    """Turns pixels the way up that an Exif orientation asks for.

    Args:
        pixels: Tensor of shape `(height, width, channels)`.
        turn: Integer scalar, 1 to 8.

    Returns:
        Tensor of the same type, whose height and width have changed places from orientation 5 on.
    """
    is_swapped = turn >= 5
    over = tf.reduce_any(turn == [3, 4, 7, 8])
    across = tf.reduce_any(turn == [2, 3, 6, 7])
    pixels = tf.transpose(pixels, tf.where(is_swapped, [1, 0, 2], [0, 1, 2]))
    turned = tf.reverse(pixels, tf.boolean_mask([0, 1], tf.stack([over, across])))
    turned.set_shape([None, None, None])
    return turned


def encode(pixels, alpha, kind):
    """Encodes a photo.

    Args:
        pixels: uint8 or uint16 tensor of shape `(height, width, 3)`.
        alpha: Tensor of the same type, of shape `(height, width, 0)` or `(height, width, 1)`.
        kind: `Header.kind` of the file that it came in: JPEG gives JPEG, of quality 95 with chroma
            at full size; every other gives PNG.

    Returns:
        Scalar string tensor.
    """

    def jpeg():
        # Of uint16 only PNG files come, but both branches of a graph must be there.
        return tf.io.encode_jpeg(tf.cast(pixels, tf.uint8), "rgb", 95, chroma_downsampling=False)

    def png():
        return tf.io.encode_png(tf.concat([pixels, alpha], axis=-1), compression=3)

    return tf.cond(kind == _JPEG, jpeg, png)


def _decode_jpeg(encoded):
    # By default TensorFlow takes a faster transform that is off by a level or two.
    return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")


def _decode_png(encoded, depth=tf.uint8):
    pixels = tf.io.decode_png(encoded, channels=4, dtype=depth)
    # What has no transparency is filled up with its own highest level, under 8 bits, too.
    filler = 2 ** _number(encoded, 24, 1) - 1
    is_opaque = tf.reduce_all(tf.cast(pixels[..., 3], tf.int32) == tf.cast(filler, tf.int32))
    return tf.cond(is_opaque, lambda: pixels[..., :3], lambda: pixels)


def _decode_gif(encoded):
    return tf.io.decode_image(encoded, channels=3, expand_animations=False)


def _decode_bmp(encoded):
    pixels = tf.io.decode_bmp(encoded)
    size = _number(encoded, 14, 4, big=False)
    # TensorFlow takes indices into the palette for levels of gray.
    palette = tf.io.decode_raw(_text(encoded, 14 + tf.cast(size, tf.int32), 1024), tf.uint8)

    def indexed():
        colors = tf.reshape(palette[: tf.size(palette) // 4 * 4], [-1, 4])[:, 2::-1]
        return tf.gather(colors, tf.cast(pixels[..., 0], tf.int32))

    return tf.cond(tf.shape(pixels)[2] == 1, indexed, lambda: pixels[..., :3])


def _starts_with(encoded, start):
    return _text(encoded, 0, len(start)) == start


def _no_header(_):
    return _numbers(0, 0, 0, 8, 0)


def _gif_header(encoded):
    width, height = _number(encoded, 6, 2, big=False), _number(encoded, 8, 2, big=False)
    return _numbers(height, width, 0, 8, 0)


def _bmp_header(encoded):
    width, height = (_signed(_number(encoded, at, 4, big=False)) for at in (18, 22))
    size, bits, packing = (_number(encoded, *at, big=False) for at in ((14, 4), (28, 2), (30, 4)))
    is_plain = tf.reduce_any(bits == [8, 24, 32]) & tf.reduce_any(packing == [0, 3]) & (size >= 40)
    return _numbers(height, width, 0, 8, tf.where(is_plain & (size < 256), 0, 1))


def _png_header(encoded):
    width, height = _number(encoded, 16, 4), _number(encoded, 20, 4)

    def next_chunk(at, _):
        exif = tf.where(_text(encoded, at + 4, 4) == b"eXIf", at + 8, 0)
        return _forward(encoded, at, 12 + _number(encoded, at, 4)), exif

    def goes_on(at, exif):
        # Exif stands before the pixels, of which there may be thousands of chunks.
        name = _text(encoded, at + 4, 4)
        return (exif == 0) & (name != b"IDAT") & (name != b"")

    _, exif = tf.while_loop(goes_on, next_chunk, (8, 0), parallel_iterations=1)
    return _numbers(height, width, exif, _number(encoded, 24, 1), 0)


def _jpeg_header(encoded):
    def next_segment(at, frame, exif):
        marker = _number(encoded, at + 1, 1)
        is_frame = (frame == 0) & tf.reduce_any(marker == [0xC0, 0xC1, 0xC2])
        is_exif = (marker == 0xE1) & (_text(encoded, at + 4, 6) == b"Exif\0\0") & (exif == 0)
        # Before a marker there may be any number of bytes of 0xFF.
        length = tf.where(marker == 0xFF, tf.ones_like(marker), 2 + _number(encoded, at + 2, 2))
        frame, exif = tf.where(is_frame, at + 4, frame), tf.where(is_exif, at + 10, exif)
        return _forward(encoded, at, length), frame, exif

    def goes_on(at, *_):
        marker = _number(encoded, at, 2)
        return (marker >= 0xFF00) & (marker != 0xFFDA)

    _, frame, exif = tf.while_loop(goes_on, next_segment, (2, 0, 0), parallel_iterations=1)
    height, width = _number(encoded, frame + 1, 2), _number(encoded, frame + 3, 2)
    is_known = tf.reduce_any(_number(encoded, frame + 5, 1) == [1, 3]) & (frame > 0)
    return _numbers(height, width, exif, 8, tf.where(is_known, 0, 1))


def _turn(encoded, exif):
    """Orientation that the Exif block at offset `exif` asks for; 1 where it asks for none."""
    is_big = _text(encoded, exif, 2) == b"MM"

    def number(at, count):
        return tf.where(is_big, *(_number(encoded, at, count, big) for big in (True, False)))

    directory = _forward(encoded, exif, number(exif + 4, 4))
    end = _forward(encoded, directory, 2 + 12 * number(directory, 2))

    def goes_on(at, turn):
        return (at + 12 <= end) & (turn == 0)

    def next_entry(at, _):
        count = tf.where(number(at + 2, 2) == 3, 2, 4)
        value = tf.where(count == 2, number(at + 8, 2), number(at + 8, 4))
        return at + 12, tf.where(number(at, 2) == _ORIENTATION, value, tf.zeros_like(value))

    start = (directory + 2, tf.constant(0, tf.int64))
    _, turn = tf.while_loop(goes_on, next_entry, start, parallel_iterations=1)
    return tf.where((turn >= 1) & (turn <= 8), turn, tf.ones_like(turn))


def _text(encoded, at, count):
    """Up to `count` bytes from an offset on."""
    return tf.strings.substr(encoded, tf.minimum(at, tf.strings.length(encoded)), count)


def _number(encoded, at, count, big=True):
    """Unsigned integer of up to four bytes, int64."""
    values = tf.cast(tf.io.decode_raw(_text(encoded, at, count), tf.uint8), tf.int64)
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
    text = tf.constant("")
    for condition, other in reversed(cases):
        text = tf.where(condition, other, text)
    return text
