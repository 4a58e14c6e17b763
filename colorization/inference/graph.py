"""The whole way from gray photo to color photo as one graph, which is what gets exported.

Law of the file: photos are uint8 sRGB of shape `(batch, height, width, 3)`, of any size from one
pixel up; only their lightness is used, and it is kept to within one unit of L*. The network sees a
smaller copy, and everything of full size is done strip by strip, so that memory holds the photo,
its result and one strip of floats.
"""

import tensorflow as tf

from colorization.inference import upsampling
from pipelines import color

STRIP_PIXELS = 2**19
MAX_ASPECT = 4

_PHOTOS = tf.TensorSpec((None, None, None, 3), tf.uint8)
_COEFFICIENTS = tf.TensorSpec((None, None, None, 4), tf.float32)
_NUMBER = tf.TensorSpec((), tf.int32)


class ColorizationGraph(tf.Module):
    """Colors photos of any size with a fully convolutional network.

    Saved by `tf.saved_model.save`, it works without this code.

    Args:
        network: Keras model from a condition `(batch, h, w, 1)` to a prediction
            `(batch, h / k, w / k, codec.num_outputs)`, for any `h` and `w` that are multiples of
            `size_multiple`.
        codec: The `pipelines.codecs.Codec` that the network was trained with.
        working_size: Short side of what the network sees, in pixels.
        size_multiple: What both sides of it are rounded to a multiple of.

    Raises:
        ValueError: If the network's channels are not the codec's, or `working_size` is not a
            positive multiple of `size_multiple`.
    """

    def __init__(self, network, codec, working_size, size_multiple):
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
        self.network = network
        self._codec = codec
        self._working_size = working_size
        self._size_multiple = size_multiple

    @tf.function(input_signature=[_PHOTOS])
    def predict(self, images):
        """Predicts the color of whole images, as coefficients that `apply` turns into ab.

        Args:
            images: uint8 tensor of shape `(batch, height, width, 3)`.

        Returns:
            Float tensor of shape `(batch, h, w, 4)` at the working size: see `upsampling.fit`.
        """
        size = self._working_shape(tf.shape(images)[1], tf.shape(images)[2])
        # On uint8 this op averages without a float copy of the photo.
        rgb = tf.cast(tf.image.resize(images, size, antialias=True), tf.float32) / 255
        rgb.set_shape([None, None, None, 3])
        condition, _ = self._codec.encode(rgb)
        prediction = self.network(condition, training=False)
        ab = tf.image.resize(self._codec.ab(prediction), size)
        return upsampling.fit(color.rgb_to_lab(rgb)[..., :1], ab)

    @tf.function(input_signature=[_PHOTOS, _COEFFICIENTS, _NUMBER, _NUMBER])
    def apply(self, rows, coefficients, top, height):
        """Colors some rows of photos.

        Args:
            rows: uint8 tensor of shape `(batch, num_rows, width, 3)`: rows `top` to `top +
                num_rows` of photos that are `height` rows high.
            coefficients: What `predict` returned for the whole photos.
            top: int32 scalar.
            height: int32 scalar.

        Returns:
            uint8 tensor of the shape of `rows`.
        """
        shape = tf.shape(rows)
        lightness = color.rgb_to_lab(rows)[..., :1]
        local = upsampling.enlarge_rows(coefficients, top, shape[1], height, shape[2])
        lab = tf.concat([lightness, upsampling.apply(lightness, local)], axis=-1)
        return _to_rgb(lab)

    @tf.function(input_signature=[_PHOTOS])
    def arrays(self, images):
        """Colors whole photos.

        Args:
            images: uint8 tensor of shape `(batch, height, width, 3)`.

        Returns:
            uint8 tensor of the same shape.
        """
        shape = tf.shape(images)
        height, step = shape[1], strip_rows(shape[0], shape[2])
        coefficients = self.predict(images)
        num_strips = (height + step - 1) // step
        strips = tf.TensorArray(
            tf.uint8, num_strips, infer_shape=False, element_shape=[None, None, None, 3]
        )

        def color_strip(index, strips):
            top = index * step
            colored = self.apply(images[:, top : top + step], coefficients, top, height)
            # Rows come first, because that is where strips of unlike height can be joined.
            return index + 1, strips.write(index, tf.transpose(colored, [1, 0, 2, 3]))

        _, strips = tf.while_loop(
            lambda index, _: index < num_strips, color_strip, (0, strips), parallel_iterations=1
        )
        return tf.reshape(tf.transpose(strips.concat(), [1, 0, 2, 3]), shape)

    def _working_shape(self, height, width):
        """What the network sees of a photo: never larger than the photo, save for rounding."""
        sides = tf.cast(tf.stack([height, width]), tf.float32)
        limit = float(self._working_size)
        shrink = tf.minimum(limit / tf.reduce_min(sides), MAX_ASPECT * limit / tf.reduce_max(sides))
        multiples = tf.round(sides * tf.minimum(shrink, 1.0) / self._size_multiple)
        return tf.cast(tf.maximum(multiples, 1.0), tf.int32) * self._size_multiple


def strip_rows(batch, width):
    """Rows of a strip that holds about `STRIP_PIXELS` pixels, for integers or int32 tensors."""
    return STRIP_PIXELS // (batch * width) + 1


def _to_rgb(lab):
    """Converts Lab to uint8 sRGB, searching for chroma only where the gamut is left."""
    linear = color.lab_to_linear(lab)
    outside = tf.reduce_any((linear < 0) | (linear > 1), axis=-1)
    reduced = color.reduce_chroma_to_gamut(tf.boolean_mask(lab, outside))
    linear = tf.tensor_scatter_nd_update(linear, tf.where(outside), color.lab_to_linear(reduced))
    rgb = tf.clip_by_value(color.linear_to_srgb(linear), 0.0, 1.0)
    return tf.cast(tf.round(rgb * 255), tf.uint8)
