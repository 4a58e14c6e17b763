"""From a `Config` to networks: codec, generator, discriminator, and the compiled model of both."""

import dataclasses
import inspect

import keras

from colorization import models
from colorization.config import ConfigError, knobs
from colorization.evaluation.features import load_features
from colorization.losses import (
    ADVERSARIAL_LOSSES,
    RECONSTRUCTION_LOSSES,
    feature_distance,
    quantized_crossentropy,
)
from colorization.models.layers import precision
from colorization.training.adversarial import assemble_model
from colorization.training.imagenet import load_imagenet_weights
from colorization.training.optimizer import build_optimizer
from pipelines.color import bins, codecs


def build_codec(config):
    """Builds the codec of a run, with its temperature."""
    codec = codecs.CODECS[config.codec]
    if config.is_quantized:
        codec = dataclasses.replace(codec, temperature=config.temperature)
    return codec


def build_generator(config, pretrained=True):
    """Builds the generator of a run.

    Args:
        config: The run's `Config`.
        pretrained: Whether the weights of `--encoder_weights` are read. Without, no file is opened.

    Returns:
        A functional `keras.Model`, in the precision of Keras' policy.

    Raises:
        UserError: If there are no such weights.
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
    taken = inspect.signature(builder).parameters
    options = {name: value for name, value in offered.items() if name in taken}
    try:
        generator = builder(**options)
    except Exception as error:
        # A download or a file of weights can raise anything.
        if not weights:
            raise
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"--encoder_weights is imagenet, or a file of weights of {config.encoder} without its "
            f"top. Received: {weights}, which can't be read ({reason})."
        ) from error
    if weights and "encoder_weights" not in taken:
        load_imagenet_weights(generator.get_layer("efficientnet_lite0"), weights)
    return generator


def build_discriminator(config):
    """Builds the discriminator of a run, in the precision of Keras' policy."""
    codec = build_codec(config)
    options = {
        "condition_channels": codec.condition_channels,
        "target_channels": codec.num_outputs,
        "base_filters": config.discriminator_filters,
        "num_layers": config.discriminator_depth,
        "normalization": config.discriminator_norm,
    }
    if config.discriminator == "whole":
        options |= {"size": config.image_size, "dropout": config.discriminator_dropout}
    return models.builder(config.discriminator)(**options)


@dataclasses.dataclass(frozen=True)
class Networks:
    """The networks of a run.

    Args:
        codec: What they see of a picture, and predict.
        generator: The network that colors.
        model: The compiled model that `fit` trains: the generator, or an adversarial model of it.
    """

    codec: codecs.Codec
    generator: keras.Model
    model: keras.Model


def build_networks(config, steps_per_epoch, prior=None, assemble=assemble_model):
    """Builds and compiles the networks of a run.

    Args:
        config: The run's `Config`.
        steps_per_epoch: Steps of an epoch, for learning-rate schedules.
        prior: Frequencies of the bins, of shape `(num_bins,)`; None for codecs without bins.
        assemble: Function of the generator, and of the discriminator if there is one, to the model
            that trains them.

    Returns:
        The `Networks`, in the precision of the run.
    """
    with precision(config.precision):
        generator = build_generator(config)
        networks = (
            (generator, build_discriminator(config)) if config.is_adversarial else (generator,)
        )
        model = assemble(*networks)
    optimizer = build_optimizer(config, steps_per_epoch)
    if not config.is_adversarial:
        loss = RECONSTRUCTION_LOSSES.get(config.loss)
        if config.is_quantized:
            loss = quantized_crossentropy(bins.class_weights(prior, config.uniform_share))
        model.compile(optimizer, loss, jit_compile=config.xla)
        model.optimizer.build(model.trainable_variables)
        return Networks(build_codec(config), generator, model)
    model.compile(
        optimizer,
        build_optimizer(config, steps_per_epoch, of_discriminator=True),
        ADVERSARIAL_LOSSES[config.adversarial_loss],
        RECONSTRUCTION_LOSSES[config.loss],
        config.loss_weight,
        extra=_perceptual_term(config),
        penalty_weight=config.gradient_penalty,
        label_smoothing=config.label_smoothing,
        seed=config.seed,
        jit_compile=config.xla,
    )
    return Networks(build_codec(config), generator, model)


def _perceptual_term(config):
    """The weighted perceptual term of a run; None without one."""
    if not config.perceptual_weight:
        return None
    features = load_features(config.feature_weights)
    codec = build_codec(config)

    def term(condition, target, prediction):
        pictures = (codec.decode(condition, part) for part in (target, prediction))
        return config.perceptual_weight * feature_distance(features, *pictures)

    return term
