"""ColorNet: the U-Net of double convolutions, with its down- and up-sampling to choose."""

import functools

import keras

from colorization.models.layers import BilinearUpsampling2D, NoiseMap, modulate


def colornet(
    num_outputs,
    base_filters=64,
    depth=4,
    downsampling="max_pool",
    upsampling="transposed",
    leaky_slope=0.0,
    output_activation="linear",
    noise_size=0,
    noise_map_size=0,
    condition_channels=1,
    name="colornet",
):
    """Builds an encoder-decoder with skips for pictures of any size divisible by `2 ** depth`.

    Every level is two 3x3 convolutions with batch norm; each halving doubles the width.

    Args:
        num_outputs: Channels of the prediction.
        base_filters: Width at full size.
        depth: Halvings of the picture.
        downsampling: `"max_pool"`, or `"strided"`: a 3x3 convolution of stride 2, which loses less.
        upsampling: `"transposed"`: a 2x2 transposed convolution, or `"resize"`: bilinear
            enlargement and a 3x3 convolution, which leaves no checkerboard.
        leaky_slope: Slope of the activation below zero; 0 is ReLU.
        output_activation: Name of the activation of the prediction.
        noise_size: Length of the noise; 0 builds a network without. Noise modulates the coarsest
            level and every level of the decoder, so that no way to the prediction leads past it.
        noise_map_size: If not 0, noise is projected to a map of this height and width instead,
            and joined to the condition.
        condition_channels: Channels of the condition.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from a condition `(batch, height, width, condition_channels)`,
        or a list of it and of noise `(batch, noise_size)`, to `(batch, height, width,
        num_outputs)`, in float32.

    Source: Ronneberger et al., "U-Net", 2015, as the published ColorNet has it: padded, with batch
    norm, on one channel.
    """
    condition = x = keras.Input((None, None, condition_channels), name="condition")
    noise = keras.Input((noise_size,), name="noise") if noise_size else None
    inputs = [condition, noise] if noise_size else condition
    if noise_size and noise_map_size:
        x = keras.layers.Concatenate()([x, NoiseMap(noise_map_size)([condition, noise])])
        noise = None

    convolve = functools.partial(_convolve, leaky_slope=leaky_slope)
    skips = []
    for level in range(depth):
        filters = base_filters * 2**level
        x = convolve(convolve(x, filters), filters)
        skips.append(x)
        if downsampling == "max_pool":
            x = keras.layers.MaxPooling2D(2)(x)
        else:
            x = convolve(x, filters, strides=2)
    filters = base_filters * 2**depth
    x = convolve(convolve(x, filters), filters, noise=noise)
    for level in reversed(range(depth)):
        filters = base_filters * 2**level
        x = keras.layers.Concatenate()([skips[level], _double(x, filters, upsampling)])
        x = convolve(convolve(x, filters), filters, noise=noise)
    # Half precision would show as bands of color, so that the head stays in float32.
    x = keras.layers.Conv2D(
        num_outputs, 1, activation=output_activation, dtype="float32", name="prediction"
    )(x)
    return keras.Model(inputs, x, name=name)


def _convolve(x, filters, strides=1, noise=None, *, leaky_slope):
    x = keras.layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
    # Synchronized, so that a batch split over devices is normalized as the same batch on one.
    x = keras.layers.BatchNormalization(synchronized=True)(x)
    if noise is not None:
        x = modulate(x, noise)
    return keras.layers.LeakyReLU(leaky_slope)(x)


def _double(x, filters, upsampling):
    if upsampling == "transposed":
        return keras.layers.Conv2DTranspose(filters, 2, strides=2)(x)
    return keras.layers.Conv2D(filters, 3, padding="same")(BilinearUpsampling2D()(x))
