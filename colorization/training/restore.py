"""A run's generator, alone; and the files of weights that other runs start from."""

import json
import os
import pathlib
import tempfile

import h5py
import keras
import numpy as np
import tensorflow as tf

from colorization import models
from colorization.config import ConfigError, knobs
from colorization.flags import format_flags, parse_flagfile
from colorization.inference import model_folder
from colorization.training import state
from colorization.training.networks import build_discriminator, build_generator
from colorization.training.optimizer import build_optimizer
from pipelines.color import bins
from pipelines.errors import first_line
from pipelines.files import atomic_path

# Of a published model's weights, beside its SavedModel.
WEIGHTS = "generator.weights.h5"


def read_recipe(model_dir):
    """Reads the `Config` of a run; `ConfigError` if the directory holds no run of this program."""
    path = os.path.join(model_dir, state.RECIPE)
    if not os.path.isfile(path):
        raise ConfigError(
            f"--model_dir names the directory of a run of colorization.train. Received: "
            f"{model_dir}, which has no {state.RECIPE}."
        )
    return parse_flagfile(path)


def kept_prior(config, model_dir):
    """The prior that a run measured, as a list; None for codecs without bins."""
    return state.Run(model_dir).prior().tolist() if config.is_quantized else None


def trained_generator(config, model_dir, checkpoint="latest", balance=None):
    """Loads a run's generator with averaged weights, in float32, and its number of epochs.

    Nothing but the checkpoint, `"latest"` or `"best"`, is read: neither what the weights started
    from nor the pictures. `balance`, of quantized codecs, is that of `bins.tilt`. Raises
    `TrainingError` if the run has no such checkpoint, or a damaged one.
    """
    path = tf.train.latest_checkpoint(state.checkpoint_folder(model_dir, checkpoint))
    if not path and checkpoint == "best":
        raise state.TrainingError(
            f"{model_dir} keeps no best checkpoint, or none yet: --monitor of the training command "
            f"says what is best. Received: --monitor={config.monitor}. Set --checkpoint=latest."
        )
    if not path:
        raise state.TrainingError(
            f"{model_dir} has no checkpoint yet: train for at least one epoch."
        )
    network = build_generator(config, pretrained=False)
    held = state.numbered(network.variables)
    optimizer = build_optimizer(config, 1)
    optimizer.build(network.trainable_variables)
    if config.ema:
        before = len(network.variables)
        if config.is_adversarial:
            before += len(build_discriminator(config).variables)
        held |= state.numbered(optimizer.variables, before)
    state.restore(tf.train.Checkpoint(**held), path, whole=False)
    optimizer.finalize_variable_values(network.trainable_variables)
    if balance is not None:
        bias = network.get_layer("prediction").bias
        bias.assign(bias + bins.tilt(balance))
    return network, state.checkpoint_epoch(path)


def publish_weights(model_dir, checkpoint, path):
    """Writes a run's averaged weights for `--start_from`, kernels in half precision.

    The weights are those of training, without the balance of the exported model, so that training
    can continue. The file also holds the flags that made the network.
    """
    config = read_recipe(model_dir)
    network, _ = trained_generator(config, model_dir, checkpoint=checkpoint)
    with tempfile.TemporaryDirectory() as folder, atomic_path(path) as temporary:
        whole = os.path.join(folder, WEIGHTS)
        network.save_weights(whole)
        with h5py.File(whole) as source, h5py.File(temporary, "w") as target:
            _copy_halved(source, target)
            target.attrs["recipe"] = json.dumps(_network_flags(config))


def _copy_halved(source, target):
    for name, value in source.attrs.items():
        target.attrs[name] = value
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            _copy_halved(item, target.create_group(name))
            continue
        data = item[()]
        # Variances and biases, of one dimension, are few and reach farther than half precision.
        if data.ndim > 1 and data.dtype == np.float32:
            data = data.astype(np.float16)
        target.create_dataset(name, data=data)


def starting_weights(config):
    """Reads the weights that `--start_from` names, as `set_weights` takes them, and their origin.

    The origin is a dict with a `path` and, if they are an exported model's, its `model`: what its
    exporter wrote of it. Both are None without `--start_from`. Raises `UserError` if there are no
    weights, or they are of another network.
    """
    place = config.start_from
    if not place:
        return None, None
    if os.path.isfile(os.path.join(place, state.RECIPE)):
        theirs = read_recipe(place)
        _check_network(config, _network_flags(theirs), place)
        trained, epoch = trained_generator(theirs, place)
        weights, origin = trained.get_weights(), {"path": os.path.abspath(place), "epochs": epoch}
        origin |= _of_model(state.started_from(place).get("model"))
    else:
        path = place if os.path.isfile(place) else _find_weights(place)
        read = _read_model if path.endswith(".keras") else _read_weights
        weights, origin = read(config, path), {"path": os.path.abspath(path)}
        folder = pathlib.Path(path).parent
        if (folder / model_folder.DESCRIPTION).exists():
            origin |= _of_model(model_folder.read_description(folder))
    own = build_generator(config, pretrained=False).weights
    if [weight.shape for weight in own] != [weight.shape for weight in weights]:
        raise _unfitting(config, place, "their number or shapes differ")
    return weights, origin


def _of_model(description):
    """The part of an origin that is known of the exported model that weights began as."""
    if not description:
        return {}
    long = ("recipe", "prior")
    return {"model": {name: value for name, value in description.items() if name not in long}}


def _find_weights(place):
    if place == model_folder.RELEASED:
        place = model_folder.resolve(place)
    versions = os.listdir(place) if os.path.isdir(place) else []
    numbered = sorted((name for name in versions if name.isdecimal()), key=int, reverse=True)
    for folder in (place, *(os.path.join(place, name) for name in numbered)):
        path = os.path.join(folder, WEIGHTS)
        if os.path.isfile(path):
            return path
    raise ConfigError(
        "--start_from names the directory of a run, that of an exported model with a "
        f"{WEIGHTS}, or a file of weights (.weights.h5 or .keras). Received: {place}, which is "
        f"{'neither' if versions else 'not there' if not os.path.exists(place) else 'empty'}."
    )


def _read_weights(config, path):
    network = build_generator(config, pretrained=False)
    try:
        with h5py.File(path) as file:
            theirs = json.loads(file.attrs.get("recipe", "{}"))
        _check_network(config, theirs, path)
        network.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, ConfigError):
            raise
        raise _unfitting(config, path, first_line(error)) from error
    return network.get_weights()


def _read_model(config, path):
    # Imports the layers that the file may name.
    models.builder(config.generator)
    try:
        return keras.models.load_model(path, compile=False).get_weights()
    except (OSError, ValueError, TypeError, KeyError) as error:
        begin = f"--start_from={path} is no Keras model that can be read: "
        raise ConfigError(begin + first_line(error)[:160]) from error


def _unfitting(config, path, reason):
    return ConfigError(
        f"--start_from={path} does not hold weights of `{config.generator}` as these flags make "
        f"it: {reason[:160]}. Start from a model of the same network, or give its flags."
    )


def _network_flags(config):
    """The flags that decide what the generator's weights are, by name."""
    names = {"codec", "generator", *knobs(of=config.generator)} - {"dropout", *knobs(local=True)}
    lines = zip(vars(config), format_flags(config).splitlines(), strict=True)
    return {name: line for name, line in lines if name in names}


def _check_network(config, theirs, place):
    ours = _network_flags(config)
    differing = [
        f"{theirs.get(name, 'none')} there, {ours.get(name, 'none')} here"
        for name in {**theirs, **ours}
        if theirs and theirs.get(name) != ours.get(name)
    ]
    if differing:
        more = "; ..." if len(differing) > 3 else ""
        raise ConfigError(
            f"--start_from={place} is another network: {'; '.join(differing[:3])}{more}. "
            "Give the same flags, or start from another."
        )
