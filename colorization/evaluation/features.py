"""Networks that pictures are compared by, each under a name of its own.

A picture goes in by itself, as uint8 RGB of its own size, so that no figure depends on how pictures
are batched. Figures of different networks, weights or sizes are different figures; all three are in
the protocol.
"""

import dataclasses
import hashlib
import importlib
from collections.abc import Callable

import h5py
import keras
import numpy as np
import tensorflow as tf

from colorization.evaluation import EvaluationError
from colorization.models.layers import precision
from colorization.models.squeezenet import squeezenet
from pipelines.errors import first_line


@dataclasses.dataclass(frozen=True)
class Features:
    """A network at work. Threads may share it.

    Args:
        name: What the figures' names begin with.
        protocol: Dict of what the figures depend on.
        extract: Function from a uint8 picture to a float32 vector, for distances between sets;
            None if the network has none.
        distance: Function of two uint8 pictures of one size to their distance.
        is_standard: Whether it is the network that the bare names `fid` and `kid` stand for.
        has_even_kernel: Whether vectors are scaled to a root mean square of 1 for KID.
    """

    name: str
    protocol: dict
    extract: Callable | None
    distance: Callable
    is_standard: bool = False
    has_even_kernel: bool = False

    def figure_name(self, kind):
        """Name of its `kid`, `fid` or `diversity`."""
        return kind if self.is_standard and kind != "diversity" else f"{self.name}-{kind}"

    @property
    def figures(self):
        """Names of the figures that it gives, several variants or not."""
        kinds = ("kid", "fid", "diversity") if self.extract else ("diversity",)
        return [*([] if self.extract else [self.name]), *map(self.figure_name, kinds)]


def open_features(text):
    """Opens the `Features` that `--features` names.

    These are names of `FEATURES`, each followed by `:FILE` if its weights are in a file, separated
    by commas. Raises `EvaluationError` if a name is unknown, a package is missing or weights can't
    be had.
    """
    opened = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, path = word.partition(":")
        if name not in FEATURES:
            raise EvaluationError(
                f"--features takes {', '.join(FEATURES)}, each followed by :FILE for weights of "
                f"your own, separated by commas. Received: {word}."
            )
        opened.append(FEATURES[name](path or None))
    names = [features.name for features in opened]
    if len(set(names)) < len(names):
        raise EvaluationError(f"--features names a network once. Received: {', '.join(names)}.")
    return opened


def open_squeezenet(path):
    """Opens SqueezeNet 1.1, small enough to be at hand where no Inception is.

    Its figures are its own: it is neither the network of LPIPS nor that of FID. For KID each vector
    is scaled to a root mean square of 1: otherwise the cube in the kernel would let the few
    pictures that excite the network most decide. `path` is of an HDF5 file in Keras' layout, with
    the layers' names of the Caffe model, such as `squeezenet_v1.1_notop_keras.h5`; without one, or
    with other weights, it raises `EvaluationError`.

    Source: Iandola et al., "SqueezeNet", 2016, version 1.1 of its authors.
    """
    # Any Keras model would be opened too, and its figures would bear this one's name.
    if path is None or not str(path).endswith(".h5"):
        raise EvaluationError(
            "squeezenet needs a file of weights (.h5). Received: "
            f"{path or 'none'}. Set --features=squeezenet:FILE.h5."
        )
    maps = load_features(path)
    # Its last features, of 512 channels, averaged over the picture.
    means = keras.layers.GlobalAveragePooling2D(dtype="float32")(maps.outputs[-1])
    protocol = {
        "network": "SqueezeNet 1.1, 512 means of the last features",
        "kernel": "of vectors of root mean square 1",
    }
    network = keras.Model(maps.input, means)
    return _keras_features("squeezenet", network, 224, protocol, has_even_kernel=True)


def open_inception(path):
    """Opens Keras' InceptionV3 up to its last 2,048 features, averaged over the picture.

    It is not the graph that FID was defined on, whose weights, pooling and resizing are others; its
    figures, `inception-keras-kid` and `-fid`, are comparable among themselves only. `path` is of
    weights without the classifier, as of `keras.applications` (HDF5) or of `save_weights`; None
    downloads those of ImageNet, once. Raises `EvaluationError` if they can't be downloaded, or the
    file holds others.
    """
    try:
        with precision("float32"):
            network = keras.applications.InceptionV3(
                include_top=False, weights=None if path else "imagenet", pooling="avg"
            )
        if path:
            network.load_weights(path)
    # Keras raises many kinds, for files and for the net alike.
    except Exception as error:
        reason = first_line(error)
        raise EvaluationError(
            f"{path}: expected weights of InceptionV3 without its classifier. Received another "
            f"file, or none ({reason})."
            if path
            else f"The weights of InceptionV3 can't be downloaded ({reason}). Download them where "
            "you can, and set --features=inception:FILE."
        ) from error
    protocol = {"network": "InceptionV3 of keras.applications, 2,048 means of the last features"}
    return _keras_features(
        "inception-keras", network, 299, protocol, prepare=lambda rgb: rgb / 127.5 - 1
    )


def load_features(path):
    """Opens a network of feature maps from a file, a functional model whose weights don't train.

    `path` is of weights of SqueezeNet 1.1 without its classifier, HDF5 in Keras' layout with the
    layers' names of the Caffe model (`.h5`); or of any Keras model (`.keras`) of RGB levels in `[0,
    255]` that returns a feature map or several. Raises `EvaluationError` if there is no file, or
    another one.
    """
    try:
        if str(path).endswith(".keras"):
            network = keras.saving.load_model(path, compile=False)
        else:
            network = squeezenet()
            _fill_in(network, path)
    except (OSError, KeyError, ValueError) as error:
        reason = first_line(error)
        raise EvaluationError(
            f"{path}: expected weights of SqueezeNet 1.1 in Keras' HDF5 layout (.h5), with layers "
            "from conv1 to fire9/expand3x3, or a Keras model (.keras). Received another file, or "
            f"none ({reason})."
        ) from error
    network.trainable = False
    return network


def _fill_in(network, path):
    """Fills in weights by name; Keras' own readers do not take the slashes in this file's."""
    with h5py.File(path) as file:
        for layer in network.layers:
            if layer.weights:
                found = []
                file[layer.name.replace("_", "/")].visititems(
                    lambda _, item, found=found: found.append(item)
                )
                arrays = [np.asarray(item) for item in found if isinstance(item, h5py.Dataset)]
                layer.set_weights(sorted(arrays, key=np.ndim, reverse=True))


def _keras_features(name, network, size, protocol, prepare=lambda rgb: rgb, **options):
    """`Features` of a Keras model, for pictures resized to a square of any aspect."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
    def infer(picture):
        small = tf.image.resize(picture, (size, size), antialias=True)
        return network(prepare(small[None]), training=False)[0]

    def extract(picture):
        return infer(picture).numpy()

    protocol = protocol | {
        "input": f"{size} x {size}, bilinear, antialiased",
        "weights_sha256": digest(network.get_weights()),
    }
    return Features(name, protocol, extract, euclidean(extract), **options)


def _perceptual(function):
    # Imported on demand: it needs PyTorch.
    module = "colorization.evaluation.perceptual"
    return lambda path: getattr(importlib.import_module(module), function)(path)


FEATURES = {
    "squeezenet": open_squeezenet,
    "inception": open_inception,
    "torch-fidelity": _perceptual("open_fidelity"),
    "lpips": _perceptual("open_lpips"),
}


def euclidean(extract):
    """Distance of two pictures by their feature vectors, as a function of the pictures."""
    return lambda picture, other: float(np.linalg.norm(extract(picture) - extract(other)))


def digest(arrays):
    """SHA-256 of weights, in the network's own order, independent of the file format."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array, np.float32).tobytes())
    return found.hexdigest()
