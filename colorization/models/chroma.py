"""The network of the released model: a pretrained encoder, a light decoder, and color hints."""

import keras
from keras import ops

from colorization.models.efficientnet_lite import efficientnet_lite0
from colorization.models.layers import BilinearUpsampling2D, add_global_context


def chroma(
    num_outputs, widths=(64, 96, 128, 160), levels=(-1.0, 1.0), condition_channels=4, name="chroma"
):
    """Builds a colorizer that predicts at a quarter of the size, for sizes divisible by 32.

    The encoder sees the gray picture in all three of its channels. The decoder brings its last
    features up to a quarter of the size, joined at every level to those of that size; the two
    coarsest levels also see the whole picture through its mean, which settles what kind of scene
    it is. Hints enter the decoder at every level, at a sixteenth by attention, which takes a hint
    to what looks alike. Without hints the network is exactly the one without their part.

    Args:
        num_outputs: Channels of the prediction.
        widths: Of the decoder at a quarter, an eighth, a sixteenth and a thirty-second of the size.
        levels: Values of the condition that are black and white.
        condition_channels: Channels of the condition: lightness, a, b and mask of the hints.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, 4)`, lightness and hints of a, b and
        mask, to `(batch, height / 4, width / 4, num_outputs)`, linear, in float32.

    Source: the hints follow Zhang et al., "Real-Time User-Guided Image Colorization with Learned
    Deep Priors", 2017, in what they are; how they enter is this project's own.
    """
    encoder = efficientnet_lite0()
    condition = keras.Input((None, None, condition_channels), name="condition")
    black, white = levels
    gray = (condition[..., :1] - black) * (255 / (white - black))
    taps = encoder(keras.ops.concatenate([gray] * 3, axis=-1))[1:]
    hints = PoolHints(4, dtype="float32")(condition[..., 1:])
    pyramid = [hints]
    for _ in taps[1:]:
        pyramid.append(PoolHints(2, dtype="float32")(pyramid[-1]))
    x = None
    for level in reversed(range(len(taps))):
        x = _join(x, taps[level], widths[level])
        if level == 2:
            spread = SpreadHints(dtype="float32", name="spread_hints")([x, pyramid[level]])
            x = _add_from_zero(x, spread, "spread")
        x = _add_from_zero(x, _see_hints(pyramid[level]), f"hints{level}")
        if level > 0:
            x = _block(x, widths[level], sees_all=level >= 2)
    # Half-precision logits lose the small probabilities, so that the head stays in float32.
    logits = keras.layers.Conv2D(num_outputs, 1, dtype="float32", name="prediction")(x)
    return keras.Model(condition, logits, name=name)


def _join(x, tap, width):
    """Brings the coarser level and the encoder's features of this one together."""
    if x is None:
        return _conv(tap, width, 1)
    x = BilinearUpsampling2D()(x)
    if tap.shape[-1] > width // 2:
        tap = _conv(tap, width // 2, 1)
    return _conv(keras.layers.Concatenate()([x, tap]), width)


def _see_hints(hints, width=24):
    # Without biases and normalization, so that no hints give exactly 0.
    x = hints
    for _ in range(2):
        x = keras.layers.Conv2D(width, 3, padding="same", use_bias=False, activation="relu")(x)
    return x


def _add_from_zero(x, y, name):
    """Adds what starts as nothing and is learned."""
    y = keras.layers.Conv2D(
        x.shape[-1], 1, use_bias=False, kernel_initializer="zeros", name=f"{name}_joined"
    )(y)
    return keras.layers.Add()([x, y])


def _conv(x, width, kernel_size=3):
    x = keras.layers.Conv2D(width, kernel_size, padding="same")(x)
    # Not batch norm: a few pictures with many hints would decide the statistics of all others.
    x = keras.layers.RMSNormalization()(x)
    return keras.layers.Activation("relu")(x)


def _block(x, width, sees_all):
    """A residual block that starts as nothing."""
    y = _conv(x, width)
    y = keras.layers.Conv2D(width, 3, padding="same", kernel_initializer="zeros")(y)
    if sees_all:
        y = add_global_context(x, y)
    x = keras.layers.Add()([x, y])
    return keras.layers.Activation("relu")(x)


@keras.saving.register_keras_serializable("colorization")
class PoolHints(keras.layers.Layer):
    """Averages hints over squares, counting only the pixels that carry one.

    Args:
        factor: Side of a square in pixels.
        **kwargs: For `keras.layers.Layer`.
    """

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, hints):
        """Pools `(batch, height, width, 3)`, a, b and mask, to a `factor`-th of the size.

        Returns:
            Tensor of the same channels: ab of the hinted pixels of a square, 0 without any, and
            whether there are any, rising to 1 at one pixel in sixteen.
        """
        ab, mask = hints[..., :2] * hints[..., 2:], hints[..., 2:]
        pooled = ops.average_pool(ops.concatenate([ab, mask], axis=-1), self.factor)
        share = pooled[..., 2:]
        present = ops.minimum(share * 16.0, 1.0)
        return ops.concatenate([pooled[..., :2] / ops.maximum(share, 1e-4) * present, present], -1)

    def compute_output_shape(self, input_shape):
        """Shape of the result, unknown sides staying unknown."""
        batch, height, width, channels = input_shape
        return (batch, height and height // self.factor, width and width // self.factor, channels)

    def get_config(self):
        """For Keras' serialization."""
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable("colorization")
class SpreadHints(keras.layers.Layer):
    """Spreads hints to the places that look like the hinted ones: attention over hints alone.

    A place attends to every hinted place by the likeness of their features and by their distance,
    and to a null entry of value 0 beside them. Without hints the result is exactly 0.

    Args:
        num_heads: Number of heads.
        head_size: Channels of a head.
        **kwargs: For `keras.layers.Layer`.

    Source: Vaswani et al., "Attention Is All You Need", 2017; the penalty on distance as in Press
    et al., "Train Short, Test Long", 2022.
    """

    def __init__(self, num_heads=4, head_size=32, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.head_size = num_heads, head_size

    def build(self, input_shape):
        """Makes the projections."""
        features, hints = (shape[-1] for shape in input_shape)
        width = self.num_heads * self.head_size
        self.query = self.add_weight((features, width), name="query")
        self.key = self.add_weight((features, width), name="key")
        self.value = self.add_weight((hints, width), name="value")
        # From a head that sees the whole picture alike to one that sees its neighborhood.
        slopes = [0.25 * 4.0**-i for i in range(self.num_heads)]
        self.slope = self.add_weight((self.num_heads,), lambda s, dtype: ops.array(slopes, dtype))

    def call(self, inputs):
        """Spreads hints over features of the same size.

        Args:
            inputs: Pair of features, `(batch, height, width, channels)`, and of hints of
                `PoolHints`, `(batch, height, width, 3)`.

        Returns:
            Tensor of shape `(batch, height, width, num_heads * head_size)`.
        """
        features, hints = inputs
        batch, height, width = ops.shape(features)[:3]
        places = height * width
        flat = ops.reshape(features, (batch, places, features.shape[-1]))
        hints = ops.reshape(hints, (batch, places, hints.shape[-1]))
        query, key, value = (
            self._heads(ops.matmul(x, w))
            for x, w in ((flat, self.query), (flat, self.key), (hints, self.value))
        )
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / self.head_size**0.5
        scores = scores - ops.reshape(ops.abs(self.slope), (-1, 1, 1)) * _distances(height, width)
        present = hints[:, None, None, :, 2]
        scores = ops.where(present > 0, scores, -1e4)
        # The null entry has a score of 0.
        top = ops.maximum(ops.max(scores, axis=-1, keepdims=True), 0.0)
        weights = ops.exp(scores - top) * present
        total = ops.sum(weights, axis=-1, keepdims=True) + ops.exp(-top)
        spread = ops.matmul(weights / total, value)
        spread = ops.transpose(spread, (0, 2, 1, 3))
        return ops.reshape(spread, (batch, height, width, self.num_heads * self.head_size))

    def _heads(self, x):
        x = ops.reshape(x, (*ops.shape(x)[:2], self.num_heads, self.head_size))
        return ops.transpose(x, (0, 2, 1, 3))

    def compute_output_shape(self, input_shape):
        """Shape of the result."""
        return (*input_shape[0][:3], self.num_heads * self.head_size)

    def get_config(self):
        """For Keras' serialization."""
        own = {"num_heads": self.num_heads, "head_size": self.head_size}
        return {**super().get_config(), **own}


def _distances(height, width):
    """Distances between all places of a grid, `(places, places)`."""
    row, column = ops.meshgrid(ops.arange(height), ops.arange(width), indexing="ij")
    places = ops.cast(ops.stack([ops.ravel(row), ops.ravel(column)], axis=-1), "float32")
    squares = ops.sum(ops.square(places[:, None] - places[None]), axis=-1)
    return ops.sqrt(squares + 1e-6)
