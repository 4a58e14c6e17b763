"""Bilinear enlargement as a layer that any Keras backend can run on any size."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("colorization")
class BilinearUpsampling2D(keras.layers.Layer):
    """Doubles height and width, bilinearly with half-pixel centers.

    `keras.layers.UpSampling2D` needs sizes known when a graph is traced, and an exported
    colorizer takes pictures of any size.
    """

    def call(self, x):
        """Doubles `(batch, height, width, channels)` to `(batch, 2 height, 2 width, channels)`."""
        height, width = ops.shape(x)[1:3]
        return ops.image.resize(x, (2 * height, 2 * width), interpolation="bilinear")

    def compute_output_shape(self, input_shape):
        """Shape of the result, unknown sides staying unknown."""
        batch, height, width, channels = input_shape
        return (batch, height and 2 * height, width and 2 * width, channels)
