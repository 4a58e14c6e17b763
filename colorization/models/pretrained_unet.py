"""A U-Net with a pretrained encoder."""

import keras

from colorization.models.layers import BilinearUpsampling2D
from colorization.models.unet import normalize

# Name: (builder, how it wants RGB levels in [0, 255], its last layer at a half, a quarter, an
# eighth, a sixteenth and a thirty-second of the size).
ENCODERS = {
    "mobilenet_v2": (
        keras.applications.MobileNetV2,
        keras.applications.mobilenet_v2.preprocess_input,
        (
            "block_1_expand_relu",
            "block_3_expand_relu",
            "block_6_expand_relu",
            "block_13_expand_relu",
            "out_relu",
        ),
    ),
    "resnet50": (
        keras.applications.ResNet50,
        keras.applications.resnet.preprocess_input,
        (
            "conv1_relu",
            "conv2_block3_out",
            "conv3_block4_out",
            "conv4_block6_out",
            "conv5_block3_out",
        ),
    ),
}


def pretrained_unet(
    num_outputs,
    base_filters=64,
    encoder="mobilenet_v2",
    encoder_weights=None,
    levels=(0.0, 255.0),
    output_activation="tanh",
    condition_channels=1,
    name="pretrained_unet",
):
    """Builds an encoder-decoder with skips for pictures of any size divisible by 32.

    The encoder sees the gray picture in all three of its channels. Resize and convolution bring its
    last features up to the picture's size, joined at every level to its own of that size.

    Args:
        num_outputs: Channels of the prediction.
        base_filters: Width of the decoder at half the size; it doubles downward, up to eight times.
        encoder: Name in `ENCODERS`.
        encoder_weights: `"imagenet"`, which downloads, the path of a weights file of that
            application without its top, or None for random ones.
        levels: Values of the condition that are black and white.
        output_activation: Name of the activation of the prediction.
        condition_channels: Channels of the condition; the encoder sees the first.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from `(batch, height, width, condition_channels)` to
        `(batch, height, width, num_outputs)`, in float32.

    Source: Ronneberger et al., "U-Net", 2015; the encoder trained before as in Shariatnia,
    "Colorizing black & white images with U-Net and conditional GAN", 2020.
    """
    build, preprocess, taps = ENCODERS[encoder]
    base = build(include_top=False, weights=encoder_weights, input_shape=(None, None, 3))
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # So that a batch split over devices is normalized as the same batch on one.
            layer.synchronized = True
    base = keras.Model(base.input, [base.get_layer(tap).output for tap in taps], name=encoder)
    condition = keras.Input((None, None, condition_channels), name="condition")
    black, white = levels
    gray = (condition[..., :1] - black) * (255 / (white - black))
    *skips, x = base(preprocess(keras.ops.concatenate([gray] * 3, axis=-1)))
    for level in reversed(range(len(taps))):
        x = BilinearUpsampling2D()(x)
        if level > 0:
            x = keras.layers.Concatenate()([x, skips[level - 1]])
        x = _convolve(x, base_filters * min(2**level, 8))
    # Half precision would show as bands of color, so that the head stays in float32.
    x = keras.layers.Conv2D(
        num_outputs,
        3,
        padding="same",
        activation=output_activation,
        dtype="float32",
        name="prediction",
    )(x)
    return keras.Model(condition, x, name=name)


def _convolve(x, filters):
    for _ in range(2):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(normalize(x))
    return x
