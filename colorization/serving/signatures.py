"""What a served model can be asked for beside the functions of its graph, files in and out.

What is called `..._bytes` is binary, which TF Serving's REST interface carries in base64 by that
name. A photo that can't be colored fails its call with `InvalidArgumentError`, by the name of its
item; the process continues. Files are decoded inside the graph, which needs no code beside it: a
file is a scalar string tensor, pixels are uint8 or uint16 sRGB, and a file that can't be decoded is
an empty picture.

What is saved is traced while it is saved: TensorFlow traces all functions once more then, and would
save what was traced before beside them.
"""

import tensorflow as tf

from colorization.inference import options
from colorization.inference.engines import saved_model
from pipelines.batches import decoding
from pipelines.batches.decoding import JPEG


def signatures(graph):
    """Makes the signatures of a model.

    Returns:
        Dict of `tf.function` for `tf.saved_model.save`:

        - `serving_default`: `image_bytes`, JPEG, PNG, GIF or BMP files of any sizes, strings of
          shape `(batch,)`; returns `image_bytes`, each upright and at its own size: JPEG for
          JPEG, else PNG, of 16 bits and with transparency where the file had them.
        - `arrays`: `images`, uint8 RGB of shape `(batch, height, width, 3)`; returns the same.
        - `chroma`: `lightness`, float L* of shape `(batch, height, width, 1)`; returns `ab`, float
          of shape `(batch, height, width, 2)`, edges in place, not yet brought into a gamut.
        - `client`, which engines ask: see `_client`.
        - `variants`, of models that give any: `image_bytes`, a scalar string, `seed` and `count`,
          int32 scalars; returns `image_bytes` of shape `(n,)`, up to `count` colorings, the
          likeliest first.
        - `suggest`, of models that predict a distribution of colors: see `_suggest`.
    """
    recolor = _recolor(graph)
    found = {
        "serving_default": _files(graph, recolor),
        "arrays": _arrays(graph),
        "chroma": _chroma(graph),
        saved_model.NAME: _client(graph),
    }
    if graph.gives_variants:
        found["variants"] = _variants(graph, recolor)
    if graph.gives_suggestions:
        found[saved_model.SUGGEST] = _suggest(graph)
    return found


def _signature(graph, specs, answer):
    @tf.function(autograph=False, input_signature=specs)
    def answering(*inputs):
        # Before the first call, which would have functions traced for its own shapes.
        graph.trace()
        return answer(*inputs)

    return answering


def _files(graph, recolor):
    def files(image_bytes):
        number = tf.size(image_bytes)

        def color_one(index):
            item = tf.strings.format("item {} of {}", (index + 1, number))
            return recolor(image_bytes[index], item, 0, 1)[0]

        colored = tf.map_fn(
            color_one, tf.range(number), fn_output_signature=tf.string, parallel_iterations=1
        )
        return {"image_bytes": colored}

    return _signature(graph, [tf.TensorSpec((None,), tf.string, "image_bytes")], files)


def _arrays(graph):
    specs = [tf.TensorSpec((None, None, None, 3), tf.uint8, "images")]
    return _signature(graph, specs, lambda images: {"images": graph.arrays(images)})


def _chroma(graph):
    specs = [tf.TensorSpec((None, None, None, 1), tf.float32, "lightness")]
    return _signature(graph, specs, lambda lightness: {"ab": graph.chroma(lightness)})


def _client(graph):
    """Makes the signature that engines ask: lightness in, ab at the network's resolution out.

    It takes `lightness_bytes`, strings of shape `(batch,)`, each a serialized float tensor of shape
    `(height, width, 1)`: L* of a photo, best at the working size, to which it is brought if it has
    another. For models that give variants it takes `seed` and `count`, too, int32 of shape
    `(batch,)`; for those that take hints `hints_bytes`, strings of shape `(batch,)`, each a
    serialized float tensor of shape `(height, width, 3)`: ab in CIE units, and a mask that is 1
    where it is meant. It is brought to the working size as well; one pixel of zeros is no hint.

    It returns a dict of `ab_bytes`, strings of shape `(batch,)`, each a serialized float tensor of
    shape `(n, h, w, 2)`: the colorings of a photo, `count` at most, the likeliest first; and of
    `working_size` and `size_multiple`, int32 of shape `(batch,)`, by which the client makes the
    working size of its next photo.
    """
    specs = [tf.TensorSpec((None,), tf.string, "lightness_bytes")]
    if graph.gives_variants:
        specs += [tf.TensorSpec((None,), tf.int32, name) for name in ("seed", "count")]
    if graph.takes_hints:
        specs += [tf.TensorSpec((None,), tf.string, "hints_bytes")]

    def client(*inputs):
        batch = tf.shape(inputs[0])
        named = {spec.name: value for spec, value in zip(specs, inputs, strict=True)}
        colorings = tf.map_fn(
            lambda inputs: tf.io.serialize_tensor(_colorings(graph, **inputs)),
            named,
            fn_output_signature=tf.string,
        )
        return {
            "ab_bytes": colorings,
            "working_size": tf.fill(batch, graph.working_size),
            "size_multiple": tf.fill(batch, graph.size_multiple),
        }

    return _signature(graph, specs, client)


def _suggest(graph):
    """Makes the signature that tells which colors the network believes in at a place.

    It takes `lightness_bytes` and, for models that take hints, `hints_bytes` as `client` does, and
    `place`, float of shape `(batch, 2)`: shares of height and width, in `[0, 1]`. It returns `ab`,
    `(batch, n, 2)` in CIE units, the likeliest first, and `shares`, `(batch, n)`.
    """
    specs = [tf.TensorSpec((None,), tf.string, "lightness_bytes")]
    specs += [tf.TensorSpec((None, 2), tf.float32, "place")]
    if graph.takes_hints:
        specs += [tf.TensorSpec((None,), tf.string, "hints_bytes")]

    def suggest(*inputs):
        named = {spec.name: value for spec, value in zip(specs, inputs, strict=True)}

        def suggest_one(item):
            place = item.pop("place")
            return graph.suggest(*_seen(graph, **item), place)

        ab, shares = tf.map_fn(suggest_one, named, fn_output_signature=(tf.float32, tf.float32))
        return {"ab": ab, "shares": shares}

    return _signature(graph, specs, suggest)


def _colorings(graph, lightness_bytes, seed=None, count=None, hints_bytes=None):
    """Colorings of one photo as ab, `(n, h, w, 2)`."""
    lightness, hints = _seen(graph, lightness_bytes, hints_bytes)
    if not graph.gives_variants:
        return graph.ab(lightness, hints)
    return tf.cond(
        count > 1,
        lambda: graph.colorings(lightness, seed, count, hints),
        lambda: graph.ab(lightness, hints),
    )


def _variants(graph, recolor):
    def variants(image_bytes, seed, count):
        known = (seed >= 0) & (count >= 1) & (count <= options.MAX_VARIANTS)
        message = f"seed is at least 0, and count 1 to {options.MAX_VARIANTS}, but they were"
        with tf.control_dependencies([tf.debugging.Assert(known, [message, seed, count])]):
            seed = tf.identity(seed)
        return {"image_bytes": recolor(image_bytes, "item 1 of 1", seed, count)}

    image = tf.TensorSpec((), tf.string, "image_bytes")
    seed, count = (tf.TensorSpec((), tf.int32, name) for name in ("seed", "count"))
    return _signature(graph, [image, seed, count], variants)


def _recolor(graph):
    """Makes the function that colors one file, which several signatures share."""
    text, number = tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.int32)

    @tf.function(autograph=False, input_signature=[text, text, number, number])
    def recolor(encoded, item, seed, count):
        header = decoding.read_header(encoded)
        problem = tf.strings.join([item, ": ", header.problem])
        with tf.control_dependencies([tf.debugging.Assert(header.problem == "", [problem])]):
            encoded = tf.identity(encoded)
        return tf.cond(
            header.is_deep,
            lambda: _recolor_at(tf.uint16, graph, encoded, header, item, seed, count),
            lambda: _recolor_at(tf.uint8, graph, encoded, header, item, seed, count),
        )

    return recolor


def _recolor_at(depth, graph, encoded, header, item, seed, count):
    pixels = decode_file(encoded, header.kind, depth)
    problem = tf.strings.join([item, ": the file is damaged or cut short"])
    with tf.control_dependencies([tf.debugging.Assert(tf.size(pixels) > 0, [problem])]):
        pixels = decoding.upright(pixels, header.turn)
    rgb, alpha = pixels[None, ..., :3], pixels[..., 3:]
    rgb.set_shape([1, None, None, 3])

    def finish(coefficients):
        return encode_file(graph.whole(rgb, coefficients[None])[0], alpha, header.kind)

    if graph.gives_variants:
        predicted = tf.cond(
            count > 1, lambda: graph.variants(rgb, seed, count), lambda: graph.predict(rgb)
        )
    else:
        predicted = graph.predict(rgb)
    return tf.map_fn(finish, predicted, fn_output_signature=tf.string, parallel_iterations=1)


def _seen(graph, lightness_bytes, hints_bytes=None):
    """Lightness and hints of one photo at the working size."""
    lightness = tf.ensure_shape(tf.io.parse_tensor(lightness_bytes, tf.float32), [None, None, 1])
    # What has the size comes through this as it is.
    size = graph.working_shape(tf.shape(lightness)[0], tf.shape(lightness)[1])
    lightness = tf.image.resize(lightness[None], size, antialias=True)
    if hints_bytes is None:
        return lightness, None
    hints = tf.ensure_shape(tf.io.parse_tensor(hints_bytes, tf.float32), [None, None, 3])
    # A hint is meant for its own pixels: nothing between it and its surroundings.
    return lightness, tf.image.resize(hints[None], size, "nearest")


def decode_file(encoded, kind, depth):
    """Decodes a file, a scalar string, that `decoding.read_header` finds no problem in.

    `depth` is `tf.uint8`, or `tf.uint16` for a PNG file of 16 bits. Returns a tensor of that type
    and shape `(height, width, 3)`, or 4 where a PNG file has transparency; as stored, not turned.
    Of shape `(0, 0, 0)` where the file is damaged.
    """

    def pixels(data):
        if depth == tf.uint16:
            return _decode_png(data, depth)
        decoders = [_decode_jpeg, _decode_png, _decode_gif, _decode_bmp]
        return tf.switch_case(kind, [lambda read=read: read(data) for read in decoders])

    # A graph has no other way to go on after an operation that fails.
    attempt = tf.data.Dataset.from_tensors(encoded).map(pixels).ignore_errors()
    settings = tf.data.Options()
    settings.autotune.enabled = False
    settings.experimental_optimization.apply_default_optimizations = False
    decoded = attempt.with_options(settings).reduce(tf.zeros([0, 0, 0], depth), lambda _, new: new)
    decoded.set_shape([None, None, None])
    return decoded


def encode_file(pixels, alpha, kind):
    """Encodes a photo, uint8 or uint16 of shape `(height, width, 3)`, to a scalar string.

    `alpha` is of the same type and shape `(height, width, 0)` or `(height, width, 1)`. A JPEG
    `kind` gives JPEG, of quality 95 with chroma at full size; every other gives PNG.
    """

    def jpeg():
        # Of uint16 only PNG files come, but both branches of a graph must be there.
        return tf.io.encode_jpeg(tf.cast(pixels, tf.uint8), "rgb", 95, chroma_downsampling=False)

    def png():
        return tf.io.encode_png(tf.concat([pixels, alpha], axis=-1), compression=3)

    return tf.cond(kind == JPEG, jpeg, png)


def _decode_jpeg(encoded):
    # By default TensorFlow takes a faster transform that is off by a level or two.
    return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")


def _decode_png(encoded, depth=tf.uint8):
    pixels = tf.io.decode_png(encoded, channels=4, dtype=depth)
    # What has no transparency is filled up with its own highest level, under 8 bits, too.
    filler = 2 ** decoding.number(encoded, 24, 1) - 1
    is_opaque = tf.reduce_all(tf.cast(pixels[..., 3], tf.int32) == tf.cast(filler, tf.int32))
    return tf.cond(is_opaque, lambda: pixels[..., :3], lambda: pixels)


def _decode_gif(encoded):
    return tf.io.decode_image(encoded, channels=3, expand_animations=False)


def _decode_bmp(encoded):
    pixels = tf.io.decode_bmp(encoded)
    start = 14 + tf.cast(decoding.number(encoded, 14, 4, big=False), tf.int32)
    # TensorFlow takes indices into the palette for levels of gray.
    palette = tf.io.decode_raw(decoding.text(encoded, start, 1024), tf.uint8)

    def indexed():
        colors = tf.reshape(palette[: tf.size(palette) // 4 * 4], [-1, 4])[:, 2::-1]
        return tf.gather(colors, tf.cast(pixels[..., 0], tf.int32))

    return tf.cond(tf.shape(pixels)[2] == 1, indexed, lambda: pixels[..., :3])
