"""Bilinear enlargement as a layer that any Keras backend can run on any size."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("colorization")
class BilinearUpsampling2D(keras.layers.Layer):
    """Doubles height and width, bilinearly with half-pixel centers.

    `keras.layers.UpSampling2D` and `keras.ops.image.resize` need sizes known when a graph is
    traced, and an exported colorizer takes pictures of any size. Two products with matrices do
    it for all sizes, and their gradients are products too.
    """

    def call(self, x):
        """Doubles `(batch, height, width, channels)` to `(batch, 2 height, 2 width, channels)`."""
        batch, height, width, channels = ops.shape(x)
        rows = ops.reshape(x, (batch, height, width * channels))
        x = ops.matmul(_weights(height, x.dtype), rows)
        x = ops.reshape(x, (batch, 2 * height, width, channels))
        return ops.matmul(_weights(width, x.dtype), x)

    def compute_output_shape(self, input_shape):
        """Shape of the result, unknown sides staying unknown."""
        batch, height, width, channels = input_shape
        return (batch, height and 2 * height, width and 2 * width, channels)


def _weights(length, dtype):
    """Shares of `length` values in each of twice as many, `(2 length, length)`."""
    old = ops.arange(length, dtype="float32")
    new = (ops.arange(2 * length, dtype="float32") - 0.5) / 2
    new = ops.clip(new, 0, ops.cast(length - 1, "float32"))
    return ops.cast(ops.relu(1 - ops.abs(new[:, None] - old)), dtype)
