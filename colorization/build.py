"""From a `Config` to the objects that it asks for. Only commands import this."""

import dataclasses
import os

import keras
import numpy as np
import tensorflow as tf

from colorization import models
from colorization.config import ConfigError
from colorization.evaluation.features import load_features, open_squeezenet
from colorization.losses import (
    ADVERSARIAL_LOSSES,
    RECONSTRUCTION_LOSSES,
    feature_distance,
    quantized_crossentropy,
)
from colorization.training import checkpoints, run_directory
from colorization.training.adversarial import AdversarialModel
from colorization.training.averaging import averaged_weights
from colorization.training.callbacks import DropOnPlateau
from colorization.training.checkpoints import Checkpoints, TrainingError
from colorization.training.cluster import workers
from colorization.training.cluster.membership import ClusterError, check_share
from colorization.training.cluster.synchronized import (
    SynchronizedAdversarialModel,
    SynchronizedModel,
)
from colorization.training.imagenet import load_imagenet_weights
from colorization.training.monitor import Figures, KeepBest, StopEarly
from colorization.training.optimizers import AdamW
from colorization.training.schedules import learning_rate
from pipelines import files
from pipelines.batches import input_chain, survey
from pipelines.color import bins, codecs
from pipelines.sources import exclusions, opener

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def build_codec(config):
    """The codec of a run, at its temperature."""
    codec = codecs.CODECS[config.codec]
    if config.is_quantized:
        codec = dataclasses.replace(codec, temperature=config.temperature)
    return codec


def build_generator(config, precision=None, pretrained=True):
    """The generator of a run.

    Args:
        config: The run's `Config`.
        precision: Of its layers; None is the run's.
        pretrained: Whether weights that the recipe starts from are read.

    Raises:
        ConfigError: If there are no such weights.
    """
    keras.config.set_dtype_policy(_POLICIES[precision or config.precision])
    options = {"num_outputs": build_codec(config).num_outputs}
    if config.generator != "chroma":
        options["base_filters"] = config.base_filters
    # Targets in [-1, 1] end in tanh; those with an offset reach from 0 to 1.
    bounded = "sigmoid" if config.codec.endswith("_offset") else "tanh"
    options |= {
        "unet": {
            "depth": config.depth,
            "dropout": config.dropout,
            "output_activation": bounded,
        },
        "colornet": {
            "downsampling": config.downsampling,
            "upsampling": config.upsampling,
            "leaky_slope": config.leaky_slope,
            # A regression's last layer is linear, and an adversary's pictures are bounded.
            "output_activation": bounded if config.is_adversarial else "linear",
            "noise_size": config.noise_size,
            "noise_map_size": config.image_size if config.noise_injection == "map" else 0,
        },
        "encoder_decoder": {"output_activation": bounded},
        "pretrained_unet": {
            "encoder": config.encoder,
            "encoder_weights": (config.encoder_weights or None) if pretrained else None,
            "levels": _levels(build_codec(config)),
            "output_activation": bounded,
        },
        "residual": {},
        "chroma": {},
    }[config.generator]
    if config.generator == "chroma":
        generator = models.chroma(**options)
        if pretrained and config.encoder_weights:
            encoder = generator.get_layer("efficientnet_lite0")
            load_imagenet_weights(encoder, config.encoder_weights)
        return generator
    try:
        return models.GENERATORS[config.generator](**options)
    except Exception as error:
        # What a download or a file of weights can raise is of many kinds.
        if not (config.encoder_weights and pretrained):
            raise
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"--encoder_weights is imagenet, or a file of weights of {config.encoder} without its "
            f"top. Received: {config.encoder_weights}, which can't be read ({reason})."
        ) from error


def _levels(codec):
    """Values of a codec's condition that are black and white."""
    white = 100.0 if codec.condition == "lightness" else 1.0
    return tuple(codec.condition_scaling.apply(value) for value in (0.0, white))


def build_discriminator(config):
    """The discriminator of a run."""
    options = {
        "condition_channels": build_codec(config).condition_channels,
        "target_channels": build_codec(config).num_outputs,
        "base_filters": config.discriminator_filters,
        "num_layers": config.discriminator_depth,
        "normalization": config.discriminator_norm,
    }
    if config.discriminator == "whole":
        options |= {"size": config.image_size, "dropout": config.discriminator_dropout}
    return models.DISCRIMINATORS[config.discriminator](**options)


def build_model(config, steps_per_epoch, prior=None, is_clustered=False):
    """Builds and compiles what `fit` trains: a plain generator, or an adversarial model.

    Args:
        config: The run's `Config`.
        steps_per_epoch: Steps of an epoch, for schedules.
        prior: Frequencies of the bins, of shape `(num_bins,)`, for quantized codecs.
        is_clustered: Whether several workers train it. Its variables are the same.

    Returns:
        A pair of the compiled model and its generator.
    """
    generator = build_generator(config)
    if not config.is_adversarial:
        model = generator
        if is_clustered:
            model = SynchronizedModel(generator.input, generator.output)
        loss = RECONSTRUCTION_LOSSES.get(config.loss)
        if config.is_quantized:
            weights = bins.class_weights(prior, config.uniform_share)
            loss = quantized_crossentropy(weights)
        model.compile(_optimizer(config, steps_per_epoch), loss, jit_compile=config.xla)
        model.optimizer.build(model.trainable_variables)
        return model, generator
    kind = SynchronizedAdversarialModel if is_clustered else AdversarialModel
    model = kind(generator, build_discriminator(config))
    model.compile(
        _optimizer(config, steps_per_epoch),
        _optimizer(config, steps_per_epoch, averaged=False),
        ADVERSARIAL_LOSSES[config.adversarial_loss],
        RECONSTRUCTION_LOSSES[config.loss],
        config.loss_weight,
        extra=_perceptual(config),
        penalty_weight=config.gradient_penalty,
        label_smoothing=config.label_smoothing,
        seed=config.seed,
        jit_compile=config.xla,
    )
    return model, generator


def _perceptual(config):
    """The weighted perceptual term of a run, or None."""
    if not config.perceptual_weight:
        return None
    features = load_features(config.feature_weights)
    codec = build_codec(config)

    def term(condition, target, prediction):
        pictures = (codec.decode(condition, part) for part in (target, prediction))
        return config.perceptual_weight * feature_distance(features, *pictures)

    return term


def _optimizer(config, steps_per_epoch, averaged=True):
    optimizer = AdamW(
        learning_rate(config, steps_per_epoch),
        weight_decay=config.weight_decay,
        beta_1=config.beta_1,
        beta_2=config.beta_2,
        global_clipnorm=config.clip_norm or None,
        use_ema=averaged and config.ema > 0,
        ema_momentum=config.ema,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    if config.precision == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def build_strategy(config, cluster=None):
    """The strategy that mirrors the networks over the devices and workers of a run.

    Args:
        config: The run's `Config`.
        cluster: Its `Cluster`, of whose workers all are waited for; None: there is none.

    Raises:
        ClusterError: If the run can't be divided among the workers, or they can't connect.
        TrainingError: If TensorFlow has started with another number of logical devices.
    """
    if cluster and cluster.num_workers > 1:
        for name in ("logical_devices", "xla"):
            if getattr(config, name):
                raise ClusterError(
                    f"--{name} is for one machine. Received: a cluster of {cluster.num_workers} "
                    f"workers. Leave --{name} out, or unset TF_CONFIG."
                )
        check_share(cluster, config.batch_size, cluster.num_workers)
        strategy = workers.connect(cluster)
        check_share(cluster, config.batch_size, strategy.num_replicas_in_sync)
        return strategy
    if config.logical_devices:
        cpu = tf.config.list_physical_devices("CPU")[0]
        split = [tf.config.LogicalDeviceConfiguration()] * config.logical_devices
        try:
            tf.config.set_logical_device_configuration(cpu, split)
        except RuntimeError as error:
            raise TrainingError("--logical_devices comes before any work on a device.") from error
        devices = [device.name for device in tf.config.list_logical_devices("CPU")]
        return tf.distribute.MirroredStrategy(devices)
    if tf.config.list_physical_devices("GPU"):
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def build_survey(source, path=None, white_background=0.0):
    """Surveys a source, or reads the survey that the run keeps of it.

    Args:
        source: A `pipelines.sources.opener.Source`.
        path: Where the run keeps it; None keeps none.
        white_background: As for `survey.survey`.

    Raises:
        TrainingError: If the pictures changed since the run began.
    """
    if path and os.path.exists(path):
        found = survey.load_survey(path)
        if found.listing != source.listing:
            raise TrainingError(
                f"The pictures of {source.name}, or those that --exclude names, changed since the "
                "run began, so that it can't go on as if never interrupted. Restore them, or take "
                "a new --model_dir."
            )
        return found
    found = survey.survey(source, white_background)
    if path:
        survey.save_survey(found, path)
    return found


def build_prior(source, found, path=None):
    """Measures the prior of a source, or reads the one that the run keeps."""
    if path and os.path.exists(path):
        return np.load(path)
    prior = input_chain.measure_prior(source, found)
    if path:
        with files.atomic_write(path) as file:
            np.save(file, prior)
    return prior


def open_source(specification, exclude=""):
    """Opens a source, without the pictures that the list `exclude` names if one is given."""
    source = opener.open_source(specification)
    return exclusions.exclude(source, exclude) if exclude else source


def open_survey(source, model_dir=None, name="survey", white_background=0.0):
    """Surveys a source; the survey is kept in the run directory if one is given."""
    path = os.path.join(model_dir, f"{name}.json") if model_dir else None
    return build_survey(source, path, white_background)


def open_pictures(specification, model_dir=None, name="survey", white_background=0.0):
    """Opens a source and its survey, kept in the run directory if one is given."""
    source = open_source(specification)
    return source, open_survey(source, model_dir, name, white_background)


def build_followers(config):
    """Callbacks that act on what is monitored: learning-rate drops and early stopping."""
    monitor = config.monitor
    if monitor == "auto":
        monitor = "val_loss" if config.val_data else "loss"
    followers = []
    if config.schedule == "plateau":
        followers.append(
            DropOnPlateau(monitor, factor=config.decay_factor, patience=config.patience, mode="min")
        )
    if config.early_stopping:
        followers.append(StopEarly(monitor, patience=config.early_stopping, mode="min"))
    return followers


def open_witnesses(config):
    """Networks that the figures of a run are measured with besides.

    Raises:
        EvaluationError: If `--feature_weights` holds other weights.
    """
    return [open_squeezenet(config.feature_weights)] if config.measures_features else []


def build_figures(config, generator, validation, witnesses):
    """Callbacks that measure figures of the evaluation on pictures of the validation set.

    Args:
        config: The run's `Config`.
        generator: Its generator.
        validation: Pair of the validation source and its survey, or None.
        witnesses: Of `open_witnesses`.

    Returns:
        List: none if the run does not measure figures.

    Raises:
        ConfigError: If the set holds fewer than 2 usable pictures.
    """
    if not config.monitor_every:
        return []
    source, found = validation
    if found.num_usable < 2:
        raise ConfigError(
            f"--monitor_every measures at least 2 pictures in color. Received: {source.name}, "
            f"which has {found.num_usable}."
        )
    taken = _spread(found, config.monitor_pictures)
    pictures = input_chain.center_batches(source, taken, config.image_size, taken.num_usable)
    pictures = next(pictures.as_numpy_iterator())
    return [Figures(generator, build_codec(config), pictures, config.monitor_every, witnesses)]


def build_best(config, model, history):
    """Callbacks that keep the best checkpoint: none if `--monitor` does not say what is best."""
    if config.monitor == "auto":
        return []
    saved = Checkpoints(model, checkpoints.folder(config.model_dir, "best"), 1)
    return [KeepBest(config.monitor, history, saved)]


def _spread(found, number):
    """The survey without all but so many of its usable pictures, evenly over their list."""
    usable = np.setdiff1d(np.arange(found.num_pictures), found.skipped)
    taken = np.linspace(0, len(usable) - 1, min(number, len(usable))).round().astype(int)
    skipped = np.setdiff1d(np.arange(found.num_pictures), usable[taken])
    return dataclasses.replace(found, skipped=skipped.tolist())


def recipe_path(model_dir):
    """Path of a run's recipe.

    Raises:
        ConfigError: If the directory is no run of this program.
    """
    path = os.path.join(model_dir, run_directory.RECIPE)
    if not os.path.isfile(path):
        raise ConfigError(
            f"--model_dir names the directory of a run of colorization.train. Received: "
            f"{model_dir}, which has no {run_directory.RECIPE}."
        )
    return path


def kept_prior(config, model_dir):
    """The prior that a run measured, as a list; None for codecs without bins."""
    if not config.is_quantized:
        return None
    return np.load(os.path.join(model_dir, "prior.npy")).tolist()


def trained_generator(config, model_dir, rarity=1.0, checkpoint="latest"):
    """Loads a run's generator with averaged weights, in float32.

    Args:
        config: The run's `Config`.
        model_dir: Its directory.
        rarity: How much of the class weights of training the predictions keep, for quantized
            codecs: at 1 rare colors stay as likely as the weights made them, at 0 the network says
            how likely they are.
        checkpoint: `"latest"` or `"best"`.

    Returns:
        A pair of the network and the number of epochs behind it.

    Raises:
        TrainingError: If the run has no such checkpoint, or a damaged one.
    """
    prior = kept_prior(config, model_dir)
    model, generator = build_model(config, 1, prior)
    saved = Checkpoints(model, checkpoints.folder(model_dir, checkpoint), config.keep_checkpoints)
    epoch = saved.restore()
    if not epoch and checkpoint == "best":
        raise TrainingError(
            f"{model_dir} keeps no best checkpoint, or none yet: --monitor of the training command "
            f"says what is best. Received: --monitor={config.monitor}. Set --checkpoint=latest."
        )
    if not epoch:
        raise TrainingError(f"{model_dir} has no checkpoint yet: train for at least one epoch.")
    with averaged_weights(generator, model.optimizer):
        weights = generator.get_weights()
    network = build_generator(config, precision="float32", pretrained=False)
    network.set_weights(weights)
    if config.is_quantized and rarity < 1:
        # Trained with weights, the network's odds are the true ones times the weights.
        weights = bins.class_weights(prior, config.uniform_share)
        bias = network.get_layer("prediction").bias
        bias.assign(bias - (1 - rarity) * np.log(np.where(weights > 0, weights, 1)))
    return network, epoch
