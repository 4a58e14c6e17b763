"""A discriminator that judges whole pictures by one logit."""

import keras

from colorization.models.encoder_decoder import encode


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
