"""The encoder-decoder with additive skips of the conditional GAN to RGB."""

import keras

DEPTH = 5


def encoder_decoder(
    num_outputs,
    base_filters=64,
    output_activation="tanh",
    condition_channels=1,
    name="encoder_decoder",
):
    """Builds a generator for pictures of any size divisible by 32.

    Five strided 3x3 convolutions of widths 64-128-256-512-512 halve the picture; transposed ones
    mirror them, and the encoder's output of the same size is added, not joined, to theirs.

    Args:
        num_outputs: Channels of the prediction.
        base_filters: Width after the first halving; it doubles up to eight times.
        output_activation: Name of the activation of the prediction.
        condition_channels: Channels of the condition.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, condition_channels)` to
        `(batch, height, width, num_outputs)`, in float32.

    Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2017,
    as the published conditional GAN to RGB changes it.
    """
    condition = x = keras.Input((None, None, condition_channels), name="condition")
    skips = []
    for level in range(DEPTH):
        x = encode(x, base_filters * min(2**level, 8))
        skips.append(x)
    for skip in reversed(skips[:-1]):
        # A kernel that the stride divides, so that every pixel gets as many taps: no checkerboard.
        x = keras.layers.Conv2DTranspose(
            skip.shape[-1], 4, strides=2, padding="same", use_bias=False
        )(x)
        x = keras.layers.LeakyReLU(0.1)(keras.layers.BatchNormalization(synchronized=True)(x))
        x = keras.layers.Add()([x, skip])
    # Half precision would show as bands of color, so that the head stays in float32.
    x = keras.layers.Conv2DTranspose(
        num_outputs,
        4,
        strides=2,
        padding="same",
        activation=output_activation,
        dtype="float32",
        name="prediction",
    )(x)
    return keras.Model(condition, x, name=name)


def encode(x, filters, kernel=3, leaky_slope=0.1, normalization=True, dropout=0.0):
    """Halves height and width by one strided convolution, with what follows it.

    The kernel is over 1: a strided one of 1 would drop three quarters of the activations. Batch
    norm, if any, comes before the activation.
    """
    x = keras.layers.Conv2D(filters, kernel, strides=2, padding="same", use_bias=not normalization)(
        x
    )
    if normalization:
        # Synchronized, so that a batch split over devices is normalized as the same batch on one.
        x = keras.layers.BatchNormalization(synchronized=True)(x)
    x = keras.layers.LeakyReLU(leaky_slope)(x)
    return keras.layers.Dropout(dropout)(x) if dropout else x
