"""Keras' InceptionV3 as a witness of likeness.

It is not the graph that FID was defined on, whose weights, pooling and resizing are others; its
figures, `inception-keras-kid` and `-fid`, are comparable among themselves only.
"""

import keras
import tensorflow as tf

from colorization.evaluation import EvaluationError
from colorization.evaluation import features as backends

SIZE = 299


def open_inception(path):
    """Opens the network up to its last features, of 2,048 channels, averaged over the picture.

    A picture is resized to 299 x 299 pixels whatever its aspect, bilinearly and without aliasing.

    Args:
        path: Of weights without the classifier, as of `keras.applications` (HDF5) or of
            `save_weights`; None downloads those of ImageNet, once.

    Returns:
        `Features`.

    Raises:
        EvaluationError: If the weights can't be downloaded, or the file holds others.
    """
    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        network = keras.applications.InceptionV3(
            include_top=False, weights=None if path else "imagenet", pooling="avg"
        )
        if path:
            network.load_weights(path)
    # Keras raises many kinds, for files and for the net alike.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise EvaluationError(
            f"{path}: expected weights of InceptionV3 without its classifier. Received another "
            f"file, or none ({reason})."
            if path
            else f"The weights of InceptionV3 can't be downloaded ({reason}). Download them where "
            "you can, and set --features=inception:FILE."
        ) from error
    finally:
        keras.config.set_dtype_policy(kept)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
    def infer(picture):
        small = tf.image.resize(picture, (SIZE, SIZE), antialias=True)
        return network(small[None] / 127.5 - 1, training=False)[0]

    def extract(picture):
        return infer(picture).numpy()

    return backends.Features(
        name="inception-keras",
        protocol={
            "network": "InceptionV3 of keras.applications, 2,048 means of the last features",
            "input": f"{SIZE} x {SIZE}, bilinear, antialiased",
            "weights_sha256": backends.digest(network.get_weights()),
        },
        extract=extract,
        distance=backends.euclidean(extract),
    )
