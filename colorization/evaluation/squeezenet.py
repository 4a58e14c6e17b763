"""SqueezeNet 1.1 as a witness of likeness: small enough to be at hand where no Inception is.

Source of the network: Iandola et al., "SqueezeNet", 2016, version 1.1 of its authors. Its figures
are its own: it is neither the network of LPIPS nor that of FID.
"""

import h5py
import keras
import numpy as np
import tensorflow as tf

from colorization.evaluation import EvaluationError
from colorization.evaluation import features as backends

SIZE = 224
MEAN_BGR = 103.9, 116.8, 123.7
# Channels of each fire module's squeeze, and of each half of its expansion; None halves the size.
_MODULES = ((16, 64), (16, 64), None, (32, 128), (32, 128), None)
_MODULES += ((48, 192), (48, 192), (64, 256), (64, 256))


def squeezenet():
    """Builds the network up to its last features, of 512 channels, averaged over the picture.

    Returns:
        Keras model from BGR levels less their mean, `(batch, height, width, 3)`, to
        `(batch, 512)`. Its weights are to be loaded.
    """

    def convolve(inputs, filters, size, name, **options):
        layer = keras.layers.Conv2D(
            filters, size, activation="relu", name=name, dtype="float32", **options
        )
        return layer(inputs)

    def halve(inputs):
        return keras.layers.MaxPooling2D(3, strides=2, dtype="float32")(inputs)

    inputs = keras.Input((None, None, 3))
    outputs, number = halve(convolve(inputs, 64, 3, "conv1", strides=2)), 2
    for module in _MODULES:
        if module is None:
            outputs = halve(outputs)
            continue
        name = f"fire{number}"
        squeezed = convolve(outputs, module[0], 1, f"{name}_squeeze1x1")
        expanded = [
            convolve(squeezed, module[1], 1, f"{name}_expand1x1"),
            convolve(squeezed, module[1], 3, f"{name}_expand3x3", padding="same"),
        ]
        outputs, number = keras.layers.Concatenate(dtype="float32")(expanded), number + 1
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D(dtype="float32")(outputs))


def open_squeezenet(path):
    """Opens the network with weights of a file.

    A picture is resized to 224 x 224 pixels whatever its aspect, bilinearly and without aliasing.
    For KID each vector is brought to a root mean square of 1: as they come, the cube in the kernel
    would leave all say to the few pictures that excite the network most.

    Args:
        path: Of an HDF5 file in Keras' layout, with the layers' names of the Caffe model, such as
            `squeezenet_v1.1_notop_keras.h5`.

    Returns:
        `Features`.

    Raises:
        EvaluationError: If there is no file, or it holds other weights.
    """
    if path is None:
        raise EvaluationError(
            "squeezenet needs a file of weights. Received: none. Set --features=squeezenet:FILE."
        )
    network = squeezenet()
    _load(network, path)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
    def infer(picture):
        small = tf.image.resize(picture, (SIZE, SIZE), antialias=True)
        return network(small[None, :, :, ::-1] - tf.constant(MEAN_BGR))[0]

    def extract(picture):
        return infer(picture).numpy()

    return backends.Features(
        name="squeezenet",
        protocol={
            "network": "SqueezeNet 1.1, 512 means of the last features",
            "kernel": "of vectors of root mean square 1",
            "input": f"{SIZE} x {SIZE}, bilinear, antialiased",
            "weights_sha256": backends.digest(network.get_weights()),
        },
        extract=extract,
        distance=backends.euclidean(extract),
        has_even_kernel=True,
    )


def _load(network, path):
    """Fills in weights by name: of Keras' own readers none takes the slashes in this file's."""
    try:
        with h5py.File(path) as file:
            for layer in network.layers:
                if layer.weights:
                    group = file[layer.name.replace("_", "/")]
                    found = []
                    group.visititems(lambda _, item, found=found: found.append(item))
                    arrays = [np.asarray(x) for x in found if isinstance(x, h5py.Dataset)]
                    layer.set_weights(sorted(arrays, key=np.ndim, reverse=True))
    except (OSError, KeyError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise EvaluationError(
            f"{path}: expected weights of SqueezeNet 1.1 in Keras' HDF5 layout, with layers from "
            f"conv1 to fire9/expand3x3. Received another file, or none ({reason})."
        ) from error
