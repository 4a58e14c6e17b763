"""What lets a block of a convolutional network see the whole picture."""

import keras


def add_global_context(x, y):
    """Scales and shifts features by what the mean of a feature map tells.

    The mean over the picture settles what kind of scene it is, which a small window cannot.

    Args:
        x: Features of shape `(batch, height, width, channels)`, whose mean is taken.
        y: Features of the same shape, which are scaled by factors in `[0, 1]` and shifted.

    Returns:
        Features of the same shape.

    Source: Hu et al., "Squeeze-and-Excitation Networks", 2018; the shift is this project's own.
    """
    width = y.shape[-1]
    context = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    context = keras.layers.Conv2D(width // 4, 1, activation="relu")(context)
    y = keras.layers.Multiply()([y, keras.layers.Conv2D(width, 1, activation="sigmoid")(context)])
    return keras.layers.Add()([y, keras.layers.Conv2D(width, 1)(context)])
