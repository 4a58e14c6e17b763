"""Networks that pictures are compared by.

A picture goes in by itself, as uint8 RGB of its own size, so that no figure depends on batches. The
networks of published figures run through their own packages, the extra `perceptual`.
"""

import dataclasses
import hashlib
import importlib
import threading
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
    """A network at work; threads may share it.

    Args:
        name: What the figures' names begin with.
        protocol: Dict of what the figures depend on.
        extract: Function from a uint8 picture to a float32 vector, or None.
        distance: Function of two uint8 pictures of one size to their distance.
        is_standard: Whether its figures are called `fid` and `kid` alone.
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
    """Opens the `Features` that `--features` names: of `FEATURES`, perhaps followed by `:FILE`.

    Raises `EvaluationError` if a name is unknown, a package is missing or weights can't be had.
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
    """Opens SqueezeNet 1.1, whose weights `path` holds as for `load_features`.

    For KID each vector is scaled to a root mean square of 1: otherwise the cube in the kernel would
    let the few pictures that excite the network most decide. Raises `EvaluationError` without a
    file, or with other weights.

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

    It is not the graph that FID was defined on. `path` is of weights without the classifier, as of
    `keras.applications` (HDF5) or of `save_weights`; None downloads those of ImageNet, once. Raises
    `EvaluationError` if they can't be downloaded, or the file holds others.
    """

    def build():
        with precision("float32"):
            network = keras.applications.InceptionV3(
                include_top=False, weights=None if path else "imagenet", pooling="avg"
            )
        if path:
            network.load_weights(path)
        return network

    network = _opened("inception", "weights of InceptionV3 without its classifier", path, build)
    protocol = {"network": "InceptionV3 of keras.applications, 2,048 means of the last features"}
    return _keras_features(
        "inception-keras", network, 299, protocol, prepare=lambda rgb: rgb / 127.5 - 1
    )


def load_features(path):
    """Opens a network of feature maps from a file, a functional model whose weights don't train.

    `path` is of weights of SqueezeNet 1.1 without its classifier, HDF5 in Keras' layout with the
    layers' names of the Caffe model (`squeezenet_v1.1_notop_keras.h5`); or of any Keras model
    (`.keras`) of RGB levels in `[0, 255]` that returns a feature map or several. Raises
    `EvaluationError` if there is no file, or another one.
    """
    try:
        if str(path).endswith(".keras"):
            network = keras.saving.load_model(path, compile=False)
        else:
            network = squeezenet()
            _fill_in(network, path)
    except (OSError, KeyError, ValueError) as error:
        raise EvaluationError(
            f"{path}: expected weights of SqueezeNet 1.1 in Keras' HDF5 layout (.h5), with layers "
            "from conv1 to fire9/expand3x3, or a Keras model (.keras). Received another file, or "
            f"none ({first_line(error)})."
        ) from error
    network.trainable = False
    return network


def _fill_in(network, path):
    """Fills in weights by name; Keras' own readers do not take the slashes in this file's."""
    with h5py.File(path) as file:
        for layer in network.layers:
            found = []
            if layer.weights:
                file[layer.name.replace("_", "/")].visititems(lambda _, x, to=found: to.append(x))
            arrays = [np.asarray(item) for item in found if isinstance(item, h5py.Dataset)]
            layer.set_weights(sorted(arrays, key=np.ndim, reverse=True))


def _keras_features(name, network, size, protocol, prepare=lambda rgb: rgb, **options):
    """`Features` of a Keras model, for pictures resized to a square."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)], autograph=False)
    def infer(picture):
        small = tf.image.resize(picture, (size, size), antialias=True)
        return network(prepare(small[None]), training=False)[0]

    def extract(picture):
        return infer(picture).numpy()

    protocol = protocol | {
        "input": f"{size} x {size}, bilinear, antialiased",
        "weights_sha256": _digest(network.get_weights()),
    }
    return Features(name, protocol, extract, euclidean(extract), **options)


def euclidean(extract):
    """The distance of two pictures by their feature vectors, as a function of the pictures."""
    return lambda picture, other: float(np.linalg.norm(extract(picture) - extract(other)))


def _digest(arrays):
    """SHA-256 of weights, in the network's own order, independent of the file format."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array, np.float32).tobytes())
    return found.hexdigest()


def open_fidelity(path):
    """Opens the Inception that FID was defined on, as torch-fidelity holds it.

    `path` is of its weights, a pickle, which may run code: take only files whose source you trust.
    None downloads them, once. Raises `EvaluationError` if the package is missing or the weights
    can't be had.
    """
    _import("torch_fidelity")
    from torch_fidelity import feature_extractor_inceptionv3 as inception

    torch, lock = _import("torch"), threading.Lock()
    network = _opened(
        "torch-fidelity",
        "weights of its Inception",
        path,
        lambda: inception.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=path
        ),
    )

    def extract(picture):
        batch = torch.from_numpy(np.moveaxis(picture, -1, 0)[None].copy())
        # Its layers keep notes of the call in progress.
        with lock, torch.inference_mode():
            return network(batch)[0][0].numpy()

    return Features(
        name="torch-fidelity",
        protocol={
            "network": "Inception of 2015-12-05 by torch-fidelity, layer 2048",
            "input": "299 x 299 as in TensorFlow 1",
            "weights_sha256": _torch_digest(network),
        },
        extract=extract,
        distance=euclidean(extract),
        is_standard=True,
    )


def open_lpips(path):
    """Opens LPIPS 0.1 over AlexNet, the authors' own choice for measuring.

    It gives no vectors. `path` is of AlexNet's weights, as torchvision publishes them; None
    downloads them, once. Errors are as of `open_fidelity`.

    Source: Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric",
    2018.
    """
    package, torch = _import("lpips"), _import("torch")

    def build():
        network = package.LPIPS(net="alex", pnet_rand=path is not None, verbose=False)
        if path is not None:
            weights = torch.load(path, map_location="cpu", weights_only=True)
            # LPIPS cuts torchvision's AlexNet into five slices.
            for part in (getattr(network.net, f"slice{index}") for index in range(1, 6)):
                part.load_state_dict({k: weights[f"features.{k}"] for k in part.state_dict()})
        return network.eval()

    network = _opened("lpips", "weights of AlexNet", path, build)

    def distance(picture, other):
        pair = [
            torch.from_numpy(np.moveaxis(x, -1, 0)[None] / np.float32(127.5) - 1)
            for x in (picture, other)
        ]
        with torch.inference_mode():
            return float(network(*pair))

    return Features(
        name="lpips-alex",
        protocol={
            "network": "LPIPS 0.1, AlexNet",
            "input": "the picture's own size",
            "weights_sha256": _torch_digest(network),
        },
        extract=None,
        distance=distance,
    )


def _import(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise EvaluationError(
            f"The package {error.name or name} is missing. Install what published figures need: "
            "pip install 'colorization[perceptual]'."
        ) from error


def _opened(name, weights, path, build):
    """Builds a network; `EvaluationError` if its weights can't be had."""
    try:
        return build()
    # Keras and the packages of PyTorch raise many kinds, for files and for the net alike.
    except Exception as error:
        reason = first_line(error)
        raise EvaluationError(
            f"{path}: expected {weights}. Received another file, or none ({reason})."
            if path
            else f"{name}: {weights} can't be downloaded ({reason}). Download them where you can, "
            f"and set --features={name}:FILE."
        ) from error


def _torch_digest(network):
    return _digest(tensor.numpy() for tensor in network.state_dict().values())


FEATURES = {
    "squeezenet": open_squeezenet,
    "inception": open_inception,
    "torch-fidelity": open_fidelity,
    "lpips": open_lpips,
}
