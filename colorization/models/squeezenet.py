"""SqueezeNet 1.1: a small network whose features measure how alike pictures look."""

import keras

# Channels of each fire module's squeeze, and of each half of its expansion; None halves the size.
_MODULES = ((16, 64), (16, 64), None, (32, 128), (32, 128), None)
_MODULES += ((48, 192), (48, 192), (64, 256), (64, 256))
_MEAN_BGR = 103.9, 116.8, 123.7
_TAPPED = ("conv1", "fire3", "fire5", "fire7", "fire9")


def squeezenet(name="squeezenet"):
    """Builds the network without its classifier, in float32, under any policy.

    Returns:
        A functional `keras.Model` from RGB levels in `[0, 255]` of shape `(batch, height, width,
        3)`, 32 pixels or more on each side, to a list of five feature maps, the finest first, of
        64, 128, 256, 384 and 512 channels. Its weights are random: load them by layer names, which
        are those of the Caffe model with `_` for `/`.

    Source: Iandola et al., "SqueezeNet", 2016, version 1.1 of its authors; levels as they were
    trained: BGR, less their mean.
    """

    def convolve(x, filters, size, name, **options):
        return keras.layers.Conv2D(
            filters, size, activation="relu", name=name, dtype="float32", **options
        )(x)

    rgb = keras.Input((None, None, 3), name="rgb", dtype="float32")
    x = rgb[..., ::-1] - keras.ops.convert_to_tensor(_MEAN_BGR, "float32")
    x, number = convolve(x, 64, 3, "conv1", strides=2), 2
    maps = {"conv1": x}
    x = keras.layers.MaxPooling2D(3, strides=2, dtype="float32")(x)
    for module in _MODULES:
        if module is None:
            x = keras.layers.MaxPooling2D(3, strides=2, dtype="float32")(x)
            continue
        fire = f"fire{number}"
        squeezed = convolve(x, module[0], 1, f"{fire}_squeeze1x1")
        expanded = [
            convolve(squeezed, module[1], 1, f"{fire}_expand1x1"),
            convolve(squeezed, module[1], 3, f"{fire}_expand3x3", padding="same"),
        ]
        x, number = keras.layers.Concatenate(dtype="float32")(expanded), number + 1
        maps[fire] = x
    return keras.Model(rgb, [maps[tapped] for tapped in _TAPPED], name=name)
