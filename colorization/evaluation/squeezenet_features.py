"""SqueezeNet 1.1 as a witness of likeness: small enough to be at hand where no Inception is.

Source of the network: Iandola et al., "SqueezeNet", 2016, version 1.1 of its authors. Its figures
are its own: it is neither the network of LPIPS nor that of FID.
"""

import keras
import tensorflow as tf

from colorization.evaluation import EvaluationError
from colorization.evaluation import features as backends
from colorization.evaluation.weight_files import FeatureError, load_features

SIZE = 224


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
    # Any Keras model would be opened too, and its figures would bear this one's name.
    if path is None or not str(path).endswith(".h5"):
        raise EvaluationError(
            "squeezenet needs a file of weights (.h5). Received: "
            f"{path or 'none'}. Set --features=squeezenet:FILE.h5."
        )
    try:
        maps = load_features(path)
    except FeatureError as error:
        raise EvaluationError(str(error)) from error
    # Its last features, of 512 channels, averaged over the picture.
    means = keras.layers.GlobalAveragePooling2D(dtype="float32")(maps.outputs[-1])
    network = keras.Model(maps.input, means)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
    def infer(picture):
        small = tf.image.resize(picture, (SIZE, SIZE), antialias=True)
        return network(small[None])[0]

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
