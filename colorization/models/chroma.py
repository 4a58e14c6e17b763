"""The network of the released model: a pretrained encoder, a light decoder, and color hints."""

import keras

from colorization.models.efficientnet_lite import efficientnet_lite0
from colorization.models.hint_layers import PoolHints, SpreadHints
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
