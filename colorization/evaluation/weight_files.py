"""Opens networks whose features tell how alike pictures look, from files of a user's own."""

import h5py
import keras
import numpy as np

from colorization.models.squeezenet import squeezenet
from pipelines.errors import UserError


class FeatureError(UserError):
    """A file that holds no such network. The message says what was expected and received."""


def load_features(path):
    """Opens a network, frozen.

    Args:
        path: Of weights of SqueezeNet 1.1 without its classifier, HDF5 in Keras' layout with the
            layers' names of the Caffe model (`.h5`); or of any Keras model (`.keras`) of RGB levels
            in `[0, 255]` that returns a feature map or several.

    Returns:
        Functional `keras.Model` whose weights do not train.

    Raises:
        FeatureError: If there is no file, or another one.
    """
    try:
        if str(path).endswith(".keras"):
            network = keras.saving.load_model(path, compile=False)
        else:
            network = squeezenet()
            _fill_in(network, path)
    except (OSError, KeyError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise FeatureError(
            f"{path}: expected weights of SqueezeNet 1.1 in Keras' HDF5 layout (.h5), with layers "
            "from conv1 to fire9/expand3x3, or a Keras model (.keras). Received another file, or "
            f"none ({reason})."
        ) from error
    network.trainable = False
    return network


def _fill_in(network, path):
    """Fills in weights by name: of Keras' own readers none takes the slashes in this file's."""
    with h5py.File(path) as file:
        for layer in network.layers:
            if layer.weights:
                found = []
                file[layer.name.replace("_", "/")].visititems(
                    lambda _, item, found=found: found.append(item)
                )
                arrays = [np.asarray(item) for item in found if isinstance(item, h5py.Dataset)]
                layer.set_weights(sorted(arrays, key=np.ndim, reverse=True))
