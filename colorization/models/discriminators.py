"""Discriminators.

`patch` judges overlapping patches of a picture, `whole` the picture as one, and `features` what
another network, which is not trained, sees in it.
"""

import keras

from colorization.models.encoder_decoder import encode
from colorization.models.unet import normalize


def patch(
    condition_channels=1,
    target_channels=2,
    base_filters=64,
    num_layers=3,
    normalization=True,
    name="patch",
):
    """Builds a convolutional discriminator whose every logit judges one patch of the picture.

    Args:
        condition_channels: Channels of the condition.
        target_channels: Channels of the target.
        base_filters: Width after the first halving; it doubles with each layer, up to eight times.
        num_layers: Halvings of the picture. A logit sees 16, 34, 70, 142 pixels square at 1, 2, 3,
            4 of them.
        normalization: Whether batch norm is used.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from a list `[condition, target]` of shapes
        `(batch, height, width, channels)` to logits of shape
        `(batch, height / 2 ** num_layers - 2, width / 2 ** num_layers - 2, 1)`, in float32.

    Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2017,
    section 6.1.2; padding by one pixel as in its code, which makes 30x30 logits of 256x256 pixels.
    """
    condition = keras.Input((None, None, condition_channels), name="condition")
    target = keras.Input((None, None, target_channels), name="target")
    x = keras.layers.Concatenate()([condition, target])
    x = keras.layers.LeakyReLU(0.2)(_conv(x, base_filters, strides=2))
    for layer in range(1, num_layers + 1):
        strides = 2 if layer < num_layers else 1
        x = _conv(x, base_filters * min(2**layer, 8), strides, use_bias=not normalization)
        x = keras.layers.LeakyReLU(0.2)(normalize(x) if normalization else x)
    logits = _conv(x, 1, strides=1, dtype="float32", name="logits")
    return keras.Model([condition, target], logits, name=name)


def _conv(x, filters, strides, **kwargs):
    # "same" padding of an even kernel would be lopsided at stride 1.
    x = keras.layers.ZeroPadding2D(1)(x)
    return keras.layers.Conv2D(
        filters,
        4,
        strides=strides,
        kernel_initializer=keras.initializers.RandomNormal(0.0, 0.02),
        **kwargs,
    )(x)


def whole(
    size,
    condition_channels=1,
    target_channels=2,
    base_filters=64,
    num_layers=5,
    normalization=True,
    dropout=0.0,
    name="whole",
):
    """Builds a convolutional encoder followed by a dense layer.

    Args:
        size: Height and width of the pictures, in pixels: the dense layer knows every place.
        condition_channels: Channels of the condition.
        target_channels: Channels of the target.
        base_filters: Width after the first halving; it doubles with each layer, up to 512.
        num_layers: Halvings of the picture.
        normalization: Whether batch norm is used. A critic with a gradient penalty has none: the
            penalty is on each picture's own gradient.
        dropout: Share of activations dropped in training.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from a list `[condition, target]` of shapes
        `(batch, size, size, channels)` to logits of shape `(batch, 1)`, in float32.

    Source: Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative
    Adversarial Networks", 2016; Gulrajani et al., "Improved Training of Wasserstein GANs", 2017.
    """
    condition = keras.Input((size, size, condition_channels), name="condition")
    target = keras.Input((size, size, target_channels), name="target")
    x = keras.layers.Concatenate()([condition, target])
    for layer in range(num_layers):
        filters = min(base_filters * 2**layer, 512)
        x = encode(x, filters, leaky_slope=0.2, normalization=normalization, dropout=dropout)
    logits = keras.layers.Dense(1, dtype="float32", name="logits")(keras.layers.Flatten()(x))
    return keras.Model([condition, target], logits, name=name)


def features(channels, base_filters=64, name="features"):
    """Builds a discriminator of the feature maps that a pretrained network has of a picture.

    What a picture shows is known from the start, so that a few hundred steps teach it which colors
    don't belong there; one that starts from pixels needs many thousands. Each map has convolutions
    of its own, down to the size of the coarsest.

    Args:
        channels: Of each map, the finest first; each is half the size of the one before.
        base_filters: Width of the convolutions.
        name: Name of the model.

    Returns:
        A functional `keras.Model` from a list of maps of shapes `(batch, height, width, channels)`
        to logits of shape `(batch, h, w, len(channels))`, of the size of the coarsest map, in
        float32.

    Source: Sauer et al., "Projected GANs Converge Faster", 2021, section 3.2, without its random
    projections.
    """
    maps = [keras.Input((None, None, count)) for count in channels]
    logits = []
    for level, x in enumerate(maps):
        # Maps differ in scale, and so do their channels' means between pictures.
        x = keras.layers.LayerNormalization(center=False, scale=False)(x)
        x = keras.layers.LeakyReLU(0.2)(keras.layers.Conv2D(base_filters, 1)(x))
        for _ in range(len(maps) - 1 - level):
            x = keras.layers.Conv2D(base_filters, 4, strides=2, padding="same")(x)
            x = keras.layers.LeakyReLU(0.2)(x)
        x = keras.layers.Conv2D(base_filters, 3, padding="same")(x)
        x = keras.layers.LeakyReLU(0.2)(x)
        logits.append(keras.layers.Conv2D(1, 1, dtype="float32", name=f"logits{level}")(x))
    return keras.Model(maps, keras.layers.Concatenate(dtype="float32")(logits), name=name)
