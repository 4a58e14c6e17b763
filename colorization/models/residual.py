"""A compact residual network that predicts at a quarter of the picture's size."""

import keras

from colorization.models.layers import BilinearUpsampling2D, add_global_context


def residual(
    num_outputs, base_filters=32, num_blocks=(0, 1, 2, 4), condition_channels=1, name="residual"
):
    """Builds a fully convolutional encoder-decoder for pictures of any size divisible by 16.

    A strided stem and strided stages halve the picture four times; blocks at the coarsest level
    also see the whole picture through its mean, which settles what kind of scene it is. The
    decoder enlarges by resize and convolution, which leaves no checkerboard, up to a quarter of
    the size: chroma needs no more.

    Args:
        num_outputs: Channels of the prediction.
        base_filters: Width at half the size; each halving doubles it.
        num_blocks: Residual blocks at a half, a quarter, an eighth and a sixteenth of the size.
        condition_channels: Channels of the condition.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, condition_channels)` to
        `(batch, height / 4, width / 4, num_outputs)`, linear, in float32.

    Source: He et al., "Identity Mappings in Deep Residual Networks", 2016; Odena et al.,
    "Deconvolution and Checkerboard Artifacts", 2016.
    """
    filters = [base_filters * 2**level for level in range(len(num_blocks))]
    condition = keras.Input((None, None, condition_channels), name="condition")
    x = keras.layers.Conv2D(filters[0], 5, strides=2, padding="same", use_bias=False)(condition)
    x = _normalize(x)
    skips = []
    for level, (width, blocks) in enumerate(zip(filters, num_blocks, strict=True)):
        if level > 0:
            x = _conv(x, width, strides=2)
        for _ in range(blocks):
            x = _block(x, width, sees_all=level == len(filters) - 1)
        skips.append(x)
    for skip, width in zip(skips[-2:0:-1], filters[-2:0:-1], strict=True):
        x = BilinearUpsampling2D()(x)
        x = keras.layers.Concatenate()([x, skip])
        x = _conv(x, width)
        x = _block(x, width)
    # Half-precision logits lose the small probabilities, so that the head stays in float32.
    logits = keras.layers.Conv2D(num_outputs, 1, dtype="float32", name="prediction")(x)
    return keras.Model(condition, logits, name=name)


def _conv(x, width, strides=1):
    x = keras.layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False)(x)
    return _normalize(x)


def _normalize(x, activation="relu"):
    # Synchronized, so that a batch split over devices is normalized as the same batch on one.
    x = keras.layers.BatchNormalization(synchronized=True)(x)
    return keras.layers.Activation(activation)(x) if activation else x


def _block(x, width, sees_all=False):
    y = _conv(x, width)
    y = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(y)
    y = keras.layers.BatchNormalization(gamma_initializer="zeros", synchronized=True)(y)
    if sees_all:
        y = add_global_context(x, y)
    x = keras.layers.Add()([x, y])
    return keras.layers.Activation("relu")(x)
