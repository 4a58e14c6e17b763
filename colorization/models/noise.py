"""Noise as a second input of a generator: how it gets in, and how a network is called that has it.

Noise has the shape `(batch, noise_size)` and comes from N(0, 1). A network without
noise has the condition as its only input; zeros are the noise of a plain coloring.
"""

import keras
from keras import ops


def noise_size(network):
    """Length of the noise that a generator takes; 0 if it takes none."""
    return network.inputs[1].shape[-1] if len(network.inputs) > 1 else 0


def generate(network, condition, noise=None, training=False):
    """Calls a generator, with or without noise.

    Args:
        network: Functional model of `condition` or of `[condition, noise]`.
        condition: Float tensor of shape `(batch, height, width, 1)`.
        noise: Float tensor of shape `(batch, noise_size)`; None stands for zeros.
        training: Whether dropout and batch statistics are in use.

    Returns:
        The prediction.
    """
    size = noise_size(network)
    if not size:
        return network(condition, training=training)
    if noise is None:
        noise = ops.zeros((ops.shape(condition)[0], size), "float32")
    return network([condition, noise], training=training)


def modulate(x, noise):
    """Scales and shifts every channel by what a dense layer makes of the noise.

    Args:
        x: Symbolic tensor of shape `(batch, height, width, channels)`, normalized.
        noise: Symbolic tensor of shape `(batch, noise_size)`.

    Returns:
        Symbolic tensor of the shape of `x`.

    Source: Perez et al., "FiLM: Visual Reasoning with a General Conditioning Layer", 2018.
    """
    channels = x.shape[-1]
    scale, shift = (
        keras.layers.Reshape((1, 1, channels))(keras.layers.Dense(channels)(noise))
        for _ in range(2)
    )
    return keras.layers.Add()([x, keras.layers.Multiply()([x, scale]), shift])


@keras.saving.register_keras_serializable("colorization")
class NoiseMap(keras.layers.Layer):
    """Projects noise to a map of one channel and spreads it over the condition.

    Args:
        size: Height and width of the map as projected; other sizes take the nearest point of it.

    Source: the map joined to the input in the published anime colorizer.
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.projection = keras.layers.Dense(size * size, dtype=self.dtype_policy)

    def build(self, shapes):
        """Builds the projection."""
        self.projection.build(shapes[1])
        self.built = True

    def call(self, inputs):
        """Turns `(condition, noise)` into a map of shape `(batch, height, width, 1)`."""
        condition, noise = inputs
        x = ops.reshape(self.projection(noise), (-1, self.size, self.size, 1))
        for axis in (1, 2):
            length = ops.shape(condition)[axis]
            nearest = (2 * ops.arange(length, dtype="int32") + 1) * self.size // (2 * length)
            x = ops.take(x, nearest, axis=axis)
        return x

    def compute_output_shape(self, shapes):
        """Shape of the map: that of the condition."""
        return (*shapes[0][:3], 1)

    def get_config(self):
        """For Keras' serialization."""
        return {**super().get_config(), "size": self.size}
