"""Networks with fewer layers than any option gives them, which learn as the others do."""

import functools

import keras

from colorization.models import colornet, efficientnet_lite, pretrained_unet, residual


def replacements():
    """Lists what to set in their place: triples of a module, a name and a builder."""
    _, preprocess, _ = pretrained_unet.ENCODERS["mobilenet_v2"]
    taps = [f"half{level}" for level in range(5)]
    return [
        (residual, "residual", functools.partial(residual.residual, num_blocks=(0, 0, 0, 1))),
        (colornet, "colornet", functools.partial(colornet.colornet, depth=1)),
        (efficientnet_lite, "_block", functools.partial(_unless_added, efficientnet_lite._block)),
        (pretrained_unet, "ENCODERS", {"mobilenet_v2": (_application, preprocess, taps)}),
    ]


def _unless_added(block, x, kernel_size, stride, expansion, width, name):
    """The block, but not one whose result would be added to what it sees.

    Those left have the names and shapes of the published weights.
    """
    if stride == 1 and x.shape[-1] == width:
        return x
    return block(x, kernel_size, stride, expansion, width, name)


def _application(include_top, weights, input_shape):
    """An encoder as `keras.applications` builds them."""
    assert not include_top and weights is None
    picture = x = keras.Input(input_shape)
    for level in range(5):
        x = keras.layers.Conv2D(8, 3, 2, "same", use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU(name=f"half{level}")(x)
    return keras.Model(picture, x)
