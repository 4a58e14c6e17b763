"""The U-Net of pix2pix."""

import keras


def unet(
    num_outputs,
    depth=8,
    base_filters=64,
    output_activation="tanh",
    dropout=0.5,
    condition_channels=1,
    name="unet",
):
    """Builds an encoder-decoder with skips for pictures of any size divisible by `2 ** depth`.

    Strided 4x4 convolutions halve the picture `depth` times, doubling the width up to eight times
    `base_filters`; transposed ones mirror them and see the encoder's output of their own size.

    Args:
        num_outputs: Channels of the prediction.
        depth: Halvings of the picture.
        base_filters: Width after the first halving.
        output_activation: Name of the activation of the prediction.
        dropout: Share of activations dropped in training, in the widest levels of the decoder
            other than the innermost.
        condition_channels: Channels of the condition.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, condition_channels)` to
        `(batch, height, width, num_outputs)`, in float32.

    Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2017,
    section 6.1.1. Weights as its code has them: N(0, 0.02), and N(1, 0.02) for batch norm's scale.
    """
    widths = [base_filters * min(2**level, 8) for level in range(depth)]
    condition = keras.Input((None, None, condition_channels), name="condition")
    x = _halve(condition, widths[0])
    skips = []
    for level in range(1, depth):
        skips.append(x)
        x = _halve(keras.layers.LeakyReLU(0.2)(x), widths[level])
        if level < depth - 1:
            x = normalize(x)
    for level in range(depth - 1, 0, -1):
        x = _double(keras.layers.ReLU()(x), widths[level - 1], use_bias=False)
        x = normalize(x)
        if 4 <= level < depth - 1:
            x = keras.layers.Dropout(dropout)(x)
        x = keras.layers.Concatenate()([skips[level - 1], x])
    # Half precision would show as bands of color, so that the head stays in float32.
    x = _double(
        keras.layers.ReLU()(x),
        num_outputs,
        activation=output_activation,
        dtype="float32",
        name="prediction",
    )
    return keras.Model(condition, x, name=name)


def normalize(x):
    """Applies batch norm with the statistics and weights of the published pix2pix."""
    # Synchronized, so that a batch split over devices is normalized as the same batch on one.
    return keras.layers.BatchNormalization(
        momentum=0.9,
        epsilon=1e-5,
        gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02),
        synchronized=True,
    )(x)


def _halve(x, filters):
    return keras.layers.Conv2D(
        filters,
        4,
        strides=2,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(0.0, 0.02),
    )(x)


def _double(x, filters, **kwargs):
    return keras.layers.Conv2DTranspose(
        filters,
        4,
        strides=2,
        padding="same",
        kernel_initializer=keras.initializers.RandomNormal(0.0, 0.02),
        **kwargs,
    )(x)
