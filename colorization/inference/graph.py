"""The whole way from gray photo to color photo as one graph, which is what gets exported.

Photos are uint8 or uint16 sRGB of shape `(batch, height, width, 3)`, of any size
from one pixel up; only their lightness is used, and it is kept to within one unit of L*. The
network sees a smaller copy, and everything of full size is done strip by strip, so that memory
holds the photo, its result and one strip of floats.

No Python statement depends on a tensor: `autograph=False` saves seconds of rewriting them.
"""

import tensorflow as tf

from colorization.inference import graph_steps, options, variants
from colorization.inference.sight import MAX_ASPECT
from colorization.models import layers
from pipelines.color import codecs, spaces

STRIP_PIXELS = 2**18
DEPTHS = (tf.uint8, tf.uint16)
_PHOTOS = tf.TensorSpec((None, None, None, 3), tf.uint8)
_LIGHTNESS = tf.TensorSpec((None, None, None, 1), tf.float32)


class ColorizationGraph(tf.Module):
    """Colors photos of any size with a fully convolutional network.

    Saved by `tf.saved_model.save`, it works without this code.

    Args:
        network: Keras model from a condition `(batch, h, w, 1)`, or a list of it and of noise, to a
            prediction `(batch, h / k, w / k, codec.num_outputs)`, for any `h` and `w` that are
            multiples of `size_multiple`.
        codec: The `pipelines.color.codecs.Codec` that the network was trained with.
        working_size: Short side of what the network sees, in pixels.
        size_multiple: What both sides of it are rounded to a multiple of.
        saturation: What predicted chroma is multiplied by. Hints are divided by it before the
            network sees them, so that their colors come back as they are.
        second_scale: Share of the working size at which the network, which takes no noise, sees
            the photo once more; its two answers are averaged. 0 for one view.
        smoothing: How far, as a share of the short side, what the network, which takes no noise,
            says is averaged over places that look alike. 0 for not at all.

    Raises:
        ValueError: If the network's channels are not the codec's, or `working_size` is not a
            positive multiple of `size_multiple`.
    """

    def __init__(
        self,
        network,
        codec,
        working_size,
        size_multiple,
        saturation=1.0,
        second_scale=0.0,
        smoothing=0.0,
    ):
        super().__init__()
        channels = network.output_shape[-1]
        if channels != codec.num_outputs:
            raise ValueError(
                f"The codec needs a network of {codec.num_outputs} output channels. "
                f"Received: {channels}. Build both from the same recipe."
            )
        if working_size < size_multiple or working_size % size_multiple:
            raise ValueError(
                f"working_size must be a positive multiple of size_multiple={size_multiple}. "
                f"Received: working_size={working_size}."
            )
        # Tracked as TensorFlow's variables. Keras' own are saved by two names, of which a session,
        # as TF Serving runs it, restores the one that nothing reads.
        self.weights = [variable.value for variable in network.variables]
        self.__dict__["network"] = network
        self._codec = codec
        self._saturation = saturation
        self._second_scale = second_scale
        self._smoothing = smoothing
        self.working_size = working_size
        self.size_multiple = size_multiple
        condition = tf.TensorSpec((None, None, None, codec.condition_channels), tf.float32)
        # A function of its own, so that a saved copy holds the network once.
        self._infer = tf.function(self._generate, [condition], autograph=False)

    def trace(self):
        """Traces every function for every depth of photos, so that a saved copy holds them all."""
        # By name: TensorFlow asks for them so while it saves, and would trace each once more.
        top, height, seed, count = (
            tf.TensorSpec((), tf.int32, name) for name in ("top", "height", "seed", "count")
        )
        coefficients = tf.TensorSpec((None, None, None, 4), tf.float32, "coefficients")
        amount = tf.TensorSpec((None, None, None, 1), tf.float32, "amount")
        for depth in DEPTHS:
            images, image, rows = (
                tf.TensorSpec((None, None, None, 3), depth, name)
                for name in ("images", "image", "rows")
            )
            self.predict.get_concrete_function(images)
            self.apply.get_concrete_function(rows, coefficients, top, height, amount)
            self.whole.get_concrete_function(images, coefficients)
            if self.gives_variants:
                self.variants.get_concrete_function(image, seed, count)
        if self.is_quantized:
            lightness = tf.TensorSpec((None, None, None, 1), tf.float32, "lightness")
            shape = (None, None, None, self._codec.num_outputs)
            logits = tf.TensorSpec(shape, tf.float32, "logits")
            self._sample.get_concrete_function(lightness, logits, seed, count)
        elif self.gives_variants:
            shape = (None, None, None, self._codec.condition_channels)
            condition = tf.TensorSpec(shape, tf.float32, "condition")
            size = layers.noise_size(self.network)
            self._vary.get_concrete_function(
                condition, tf.TensorSpec((None, size), tf.float32, "drawn")
            )

    @property
    def codec(self):
        """The codec that the network was trained with."""
        return self._codec

    @property
    def gives_variants(self):
        """Whether the network can say other colorings: by a distribution, or from noise."""
        return self.is_quantized or layers.noise_size(self.network) > 0

    @property
    def is_quantized(self):
        """Whether the network predicts a distribution over bins."""
        return isinstance(self._codec, codecs.QuantizedCodec)

    @tf.function(autograph=False)
    def predict(self, images):
        """Predicts the color of whole photos, as coefficients that `apply` turns into ab.

        They are of shape `(batch, h, w, 4)` at the working size: see `graph_steps.fit`.
        """
        return self.coefficients(self.seen(images))

    @tf.function(autograph=False)
    def variants(self, image, seed, count):
        """Predicts several colorings of one photo, `(1, height, width, 3)`: see `colorings`.

        Returns coefficients of shape `(n, h, w, 4)`, of up to `count` colorings, the likeliest
        first.
        """
        lightness = self.seen(image)
        ab = self.colorings(lightness, seed, count)
        return graph_steps.fit(tf.repeat(lightness, tf.shape(ab)[0], axis=0), ab)

    @tf.function(autograph=False)
    def apply(self, rows, coefficients, top, height, amount):
        """Colors some rows of photos.

        `rows` are those from `top` on of photos that are `height` rows high, `coefficients` what
        `predict` returned for the whole photos. Chroma is multiplied by `amount`, of shape `(batch,
        num_rows, width, 1)`, or with 1 in place of any of these. Returns a tensor of the type and
        shape of `rows`.
        """
        shape = tf.shape(rows)
        lightness = spaces.rgb_to_lightness(rows)
        local = graph_steps.enlarge_rows(coefficients, top, shape[1], height, shape[2])
        lab = tf.concat([lightness, graph_steps.apply(lightness, local) * amount], axis=-1)
        return _to_rgb(lab, rows.dtype)

    @tf.function(autograph=False, input_signature=[_PHOTOS])
    def arrays(self, images):
        """Colors whole photos, uint8."""
        return self.whole(images, self.predict(images))

    @tf.function(autograph=False)
    def whole(self, images, coefficients):
        """Colors whole photos, strip by strip, by what `predict` returned for them."""
        shape = tf.shape(images)
        height, step = shape[1], strip_rows(shape[0], shape[2])
        num_strips = (height + step - 1) // step
        strips = tf.TensorArray(
            images.dtype, num_strips, infer_shape=False, element_shape=[None, None, None, 3]
        )

        def color_strip(index, strips):
            top = index * step
            rows = images[:, top : top + step]
            colored = self.apply(rows, coefficients, top, height, tf.ones([1, 1, 1, 1]))
            # Rows come first, because that is where strips of unlike height can be joined.
            return index + 1, strips.write(index, tf.transpose(colored, [1, 0, 2, 3]))

        _, strips = tf.while_loop(
            lambda index, _: index < num_strips, color_strip, (0, strips), parallel_iterations=1
        )
        return tf.reshape(tf.transpose(strips.concat(), [1, 0, 2, 3]), shape)

    @tf.function(autograph=False, input_signature=[_LIGHTNESS])
    def chroma(self, lightness):
        """Predicts ab of photos of which only L*, `(batch, height, width, 1)`, is known.

        The result, `(batch, height, width, 2)`, may lie outside the gamut of sRGB at that
        lightness.
        """
        height, width = tf.shape(lightness)[1], tf.shape(lightness)[2]
        size = self.working_shape(height, width)
        small = graph_steps.shrink_sharply(lightness, size)
        coefficients = self.coefficients(tf.clip_by_value(small, 0.0, 100.0))
        local = graph_steps.enlarge_rows(coefficients, 0, height, height, width)
        return graph_steps.apply(lightness, local)

    @property
    def takes_hints(self):
        """Whether the network can be told colors."""
        return self._codec.takes_hints

    def coefficients(self, lightness, hints=None):
        """Predicts what `predict` does, from lightness at the working size.

        L* is of shape `(batch, h, w, 1)`; `h` and `w` are multiples of `size_multiple`. Hints, of
        networks that take them, are of shape `(batch, h, w, 3)`: ab in CIE units, and a mask that
        is 1 where it is meant; None for none.
        """
        return graph_steps.fit(lightness, self.ab(lightness, hints))

    def coefficients_and_logits(self, lightness, hints=None):
        """As `coefficients`, with the logits they are made of, at the network's own resolution."""
        logits = self._say(lightness, hints)
        return graph_steps.fit(lightness, self._ab(logits)), logits

    def ab(self, lightness, hints=None):
        """Ab at the network's own resolution, of lightness and hints at the working size."""
        return self._ab(self._say(lightness, hints))

    def colorings(self, lightness, seed, count, hints=None):
        """Predicts several colorings of one photo, at the network's own resolution.

        They are drawn from what the network believes (see `variants.sample`), or made from as many
        noises, of which the first is zero. Equal seeds draw the same, whatever the count, which is
        at most `options.MAX_VARIANTS`. Lightness and hints are as for `coefficients`. Returns ab of
        up to `count` colorings, `(n, h / k, w / k, 2)`.
        """
        if self.is_quantized:
            logits = self._say(lightness, hints)
            return self._sample(lightness, logits, seed, count) * self._saturation
        size = [options.MAX_VARIANTS - 1, layers.noise_size(self.network)]
        drawn = tf.random.stateless_normal(size, tf.stack([seed, 0]))
        drawn = tf.pad(drawn, [[1, 0], [0, 0]])[:count]
        condition = tf.repeat(self._condition(lightness, hints), tf.shape(drawn)[0], axis=0)
        return self._ab(self._vary(condition, drawn))

    @property
    def gives_suggestions(self):
        """Whether the network predicts a distribution, which `suggest` reads."""
        return self.is_quantized

    def suggest(self, lightness, hints, place):
        """Tells which colors the network believes in at a place of one photo.

        `place` is of shape `(2,)`: shares of height and width, in `[0, 1]`; the others are as for
        `coefficients`. Returns tensors as `variants.likely_colors`, as saturated as the colorings.
        """
        logits = self._say(lightness, hints)[0]
        size = tf.shape(logits)[:2]
        cell = tf.cast(place * tf.cast(size, tf.float32), tf.int32)
        row, column = tf.unstack(tf.clip_by_value(cell, 0, size - 1))
        ab, shares = variants.likely_colors(tf.nn.softmax(logits[row, column]))
        return ab * self._saturation, shares

    def seen(self, images, size=None):
        """L* of photos, `(batch, h, w, 1)`, at a height and width; None: at the working size."""
        images = tf.convert_to_tensor(images)
        if size is None:
            size = self.working_shape(tf.shape(images)[1], tf.shape(images)[2])
        # On whole numbers this op averages without a float copy of the photo.
        rgb = graph_steps.shrink_sharply(images, size) / images.dtype.max
        rgb.set_shape([None, None, None, 3])
        return spaces.rgb_to_lightness(tf.clip_by_value(rgb, 0.0, 1.0))

    def _ab(self, prediction):
        return self._codec.ab(prediction) * self._saturation

    def _say(self, lightness, hints=None):
        """What the network says of photos of this lightness, at the working size."""
        prediction = self._infer(self._condition(lightness, hints))
        if self._second_scale:
            cells = graph_steps.shrink(lightness, tf.shape(prediction)[1:3])
            second = graph_steps.enlarge_alike(cells, self._say_again(lightness, hints))
            prediction = (prediction + second) / 2
        if not self._smoothing:
            return prediction
        seen = graph_steps.restore_contrast(lightness)
        ab = self._codec.ab(prediction)
        return graph_steps.average_alike(seen, ab, prediction, self._smoothing)

    def _say_again(self, lightness, hints):
        """What the network says of the second view."""
        size = self._round(tf.cast(tf.shape(lightness)[1:3], tf.float32) * self._second_scale)
        if hints is not None:
            # A hint is meant for its own pixels: nothing between it and its surroundings.
            hints = tf.image.resize(hints, size, "nearest")
        return self._infer(self._condition(graph_steps.shrink(lightness, size), hints))

    def _condition(self, lightness, hints=None):
        """What the network sees of photos of this lightness."""
        # A print's tone or colors are nothing to the network, and neither is how far it has faded.
        seen = tf.pad(graph_steps.restore_contrast(lightness), [[0, 0], [0, 0], [0, 0], [0, 2]])
        condition = self._codec.encode(spaces.lab_to_rgb(seen))[0]
        if hints is None:
            return condition
        return self._codec.hint(condition, hints[..., :2] / self._saturation, hints[..., 2:])

    @tf.function(autograph=False)
    def _sample(self, lightness, logits, seed, count):
        # One for both depths.
        small = tf.image.resize(lightness, tf.shape(logits)[1:3])[0]
        return variants.sample(small, logits[0], self._codec.temperature, seed, count)

    def _generate(self, condition):
        return layers.generate(self.network, condition)

    @tf.function(autograph=False)
    def _vary(self, condition, drawn):
        return layers.generate(self.network, condition, drawn)

    def working_shape(self, height, width):
        """What the network sees of a photo: never larger than the photo, save for rounding."""
        sides = tf.cast(tf.stack([height, width]), tf.float32)
        limit = float(self.working_size)
        shrink = tf.minimum(limit / tf.reduce_min(sides), MAX_ASPECT * limit / tf.reduce_max(sides))
        return self._round(sides * tf.minimum(shrink, 1.0))

    def _round(self, sides):
        multiples = tf.round(sides / self.size_multiple)
        return tf.cast(tf.maximum(multiples, 1.0), tf.int32) * self.size_multiple


def strip_rows(batch, width):
    """Rows of a strip that holds about `STRIP_PIXELS` pixels, for integers or int32 tensors."""
    return STRIP_PIXELS // (batch * width) + 1


def _to_rgb(lab, depth):
    linear = spaces.reduce_chroma_to_gamut(spaces.lab_to_linear(lab))
    rgb = tf.clip_by_value(spaces.linear_to_srgb(linear), 0.0, 1.0)
    return tf.cast(tf.round(rgb * depth.max), depth)
