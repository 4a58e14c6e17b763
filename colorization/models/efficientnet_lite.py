"""EfficientNet-Lite0 as an encoder: its features of ImageNet serve gray pictures too."""

import keras

# Of each stage: blocks, kernel size, stride of the first block, expansion, width.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM_WIDTH = 32
# Stages after which the picture is at a half, a quarter, ... and a thirty-second of its size.
_TAPS = (0, 1, 2, 4, 6)
# Of the features there.
CHANNELS = tuple(_STAGES[tap][-1] for tap in _TAPS)


@keras.saving.register_keras_serializable("colorization")
class FixedNormalization(keras.layers.BatchNormalization):
    """Batch norm that keeps its statistics in training, and learns its scale and shift.

    Not `layer(x, training=False)` in a functional model: whoever calls the model with
    `training=True` overrides it.
    """

    def call(self, inputs, training=None, mask=None):
        """Normalizes by the statistics that were loaded."""
        return super().call(inputs, training=False, mask=mask)


def efficientnet_lite0(name="efficientnet_lite0"):
    """Builds the encoder for RGB levels of any size divisible by 32.

    Batch norm keeps its statistics in training, while its scale and shift are learned: statistics
    of small batches of crops are worse than ImageNet's, and nothing needs to be synchronized.
    Layers compute in float32, since depthwise convolutions gain nothing from half precision.

    Returns:
        A functional `keras.Model` from RGB levels in `[0, 255]`, of shape `(batch, height, width,
        3)`, to a list of features at a half, a quarter, an eighth, a sixteenth and a thirty-second
        of the size, of 16, 24, 40, 112 and 320 channels.

    Source: Tan and Le, "EfficientNet", 2019; its Lite variants use ReLU6 and no squeeze-and-excite
    blocks.
    """
    picture = keras.Input((None, None, 3), name="picture", dtype="float32")
    x = keras.layers.Rescaling(1 / 128, -127 / 128, dtype="float32")(picture)
    x = keras.layers.Conv2D(
        _STEM_WIDTH, 3, strides=2, padding="same", use_bias=False, dtype="float32", name="stem_conv"
    )(x)
    x = _relu6(_normalize(x, "stem_norm"))
    taps, block = [], 0
    for stage, (num_blocks, kernel_size, stride, expansion, width) in enumerate(_STAGES):
        for index in range(num_blocks):
            stride_here = stride if index == 0 else 1
            x = _block(x, kernel_size, stride_here, expansion, width, f"block{block}")
            block += 1
        if stage in _TAPS:
            taps.append(x)
    return keras.Model(picture, taps, name=name)


def _block(x, kernel_size, stride, expansion, width, name):
    """An inverted residual block: expand, filter each channel, project."""
    y = x
    if expansion > 1:
        y = _conv(y, x.shape[-1] * expansion, f"{name}_expand")
        y = _relu6(_normalize(y, f"{name}_expand_norm"))
    y = keras.layers.DepthwiseConv2D(
        kernel_size,
        strides=stride,
        padding="same",
        use_bias=False,
        dtype="float32",
        name=f"{name}_depthwise",
    )(y)
    y = _relu6(_normalize(y, f"{name}_depthwise_norm"))
    y = _normalize(_conv(y, width, f"{name}_project"), f"{name}_project_norm")
    if stride == 1 and x.shape[-1] == width:
        y = keras.layers.Add(dtype="float32")([x, y])
    return y


def _conv(x, filters, name):
    return keras.layers.Conv2D(filters, 1, use_bias=False, dtype="float32", name=name)(x)


def _normalize(x, name):
    return FixedNormalization(epsilon=1e-3, dtype="float32", name=name)(x)


def _relu6(x):
    return keras.layers.ReLU(6.0, dtype="float32")(x)
