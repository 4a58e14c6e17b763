"""Bilinear enlargement as a layer that any Keras backend can run on any size."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("colorization")
class BilinearUpsampling2D(keras.layers.Layer):
    """Doubles height and width, bilinearly with half-pixel centers.

    `keras.layers.UpSampling2D` needs sizes known when a graph is traced, and an exported
    colorizer takes pictures of any size. Doubling has only two sets of weights, 3/4 and 1/4, so
    that sums of shifted copies do it.
    """

    def call(self, x):
        """Doubles `(batch, height, width, channels)` to `(batch, 2 height, 2 width, channels)`."""
        return _double(_double(x, 1), 2)

    def compute_output_shape(self, input_shape):
        """Shape of the result, unknown sides staying unknown."""
        batch, height, width, channels = input_shape
        return (batch, height and 2 * height, width and 2 * width, channels)


def _double(x, axis):
    x = ops.moveaxis(x, axis, 1) if axis != 1 else x
    before = ops.concatenate([x[:, :1], x[:, :-1]], axis=1)
    after = ops.concatenate([x[:, 1:], x[:, -1:]], axis=1)
    doubled = ops.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis=2)
    batch, length, _, other, channels = ops.shape(doubled)
    doubled = ops.reshape(doubled, (batch, 2 * length, other, channels))
    return ops.moveaxis(doubled, 1, axis) if axis != 1 else doubled
