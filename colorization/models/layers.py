"""What several networks share, on any Keras backend: layers, noise and precision.

Noise is a second input of some generators: it has the shape `(batch, noise_size)` and comes from
N(0, 1). A network without noise has the condition as its only input; zeros are the noise of a plain
coloring.
"""

import contextlib

import keras
from keras import ops

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


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
        x = ops.matmul(_doubling_weights(height, x.dtype), rows)
        x = ops.reshape(x, (batch, 2 * height, width, channels))
        return ops.matmul(_doubling_weights(width, x.dtype), x)

    def compute_output_shape(self, input_shape):
        """Shape of the result, unknown sides staying unknown."""
        batch, height, width, channels = input_shape
        return (batch, height and 2 * height, width and 2 * width, channels)


def _doubling_weights(length, dtype):
    """Shares of `length` values in each of twice as many, `(2 length, length)`."""
    old = ops.arange(length, dtype="float32")
    new = (ops.arange(2 * length, dtype="float32") - 0.5) / 2
    new = ops.clip(new, 0, ops.cast(length - 1, "float32"))
    return ops.cast(ops.relu(1 - ops.abs(new[:, None] - old)), dtype)


def add_global_context(x, y):
    """Scales features `y` by factors in `[0, 1]`, and shifts them, by what the mean of `x` tells.

    The mean over the picture settles what kind of scene it is, which a small window cannot. Both
    are of shape `(batch, height, width, channels)`.

    Source: Hu et al., "Squeeze-and-Excitation Networks", 2018; the shift is this project's own.
    """
    width = y.shape[-1]
    context = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    context = keras.layers.Conv2D(width // 4, 1, activation="relu")(context)
    y = keras.layers.Multiply()([y, keras.layers.Conv2D(width, 1, activation="sigmoid")(context)])
    return keras.layers.Add()([y, keras.layers.Conv2D(width, 1)(context)])


def noise_size(network):
    """Length of the noise that a generator takes; 0 if it takes none."""
    return network.inputs[1].shape[-1] if len(network.inputs) > 1 else 0


def generate(network, condition, noise=None, training=False):
    """Calls a generator, a model of `condition` or of `[condition, noise]`.

    The condition is of shape `(batch, height, width, 1)`, the noise of `(batch, noise_size)`; None
    stands for zeros.
    """
    size = noise_size(network)
    if not size:
        return network(condition, training=training)
    if noise is None:
        noise = ops.zeros((ops.shape(condition)[0], size), "float32")
    return network([condition, noise], training=training)


def modulate(x, noise):
    """Scales and shifts every channel of `x`, normalized, by what a dense layer makes of the noise.

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


@contextlib.contextmanager
def precision(name):
    """Builds layers in a precision; Keras' own policy is the same afterward as before.

    Of `"bfloat16"` and `"float16"` weights stay float32, as of `"float32"`.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[name])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
