"""Models that are small enough to be made by a test."""

import json

import keras
import numpy as np
import tensorflow as tf

from colorization.inference import graph
from colorization.inference.engines import saved_model
from colorization.inference.model_folder import DESCRIPTION, LITE
from colorization.models.layers import modulate
from colorization.serving import signatures, tflite
from pipelines.color import codecs


def save(
    folder,
    codec="quantized_ab",
    version=1,
    kernel=0.3,
    size=32,
    lite=False,
    noise=False,
    **knobs,
):
    """Saves a model `chroma` of random weights for local and remote use.

    Args:
        folder: Path of the folder that holds models.
        codec: Name; `quantized_ab` makes a model that sees several choices, `lab` one.
        version: Its number.
        kernel: Standard deviation of its weights.
        size: Working size.
        lite: Whether the same model for LiteRT is saved beside it.
        noise: Whether the network takes noise, and makes variants from it.
        **knobs: Further arguments of `graph.ColorizationGraph`.

    Returns:
        Path of the version.
    """
    codec = codecs.CODECS[codec]
    condition = keras.Input((None, None, codec.condition_channels))
    x = keras.layers.Conv2D(8, 5, 4, "same", activation="relu")(condition)
    inputs = [condition]
    if noise:
        inputs.append(keras.Input((4,)))
        x = modulate(x, inputs[1])
    network = keras.Model(inputs, keras.layers.Conv2D(codec.num_outputs, 1)(x))
    for weight in network.weights:
        weight.assign(np.random.default_rng(version).normal(0, kernel, weight.shape))
    subject = graph.ColorizationGraph(network, codec, size, 16, **knobs)
    subject.trace()
    path = folder / "chroma" / str(version)
    # Of all signatures only those that the tests of the client need, to save time.
    known = signatures.signatures(subject)
    kept = ("arrays", saved_model.NAME, saved_model.SUGGEST)
    known = {name: known[name] for name in kept if name in known}
    tf.saved_model.save(subject, str(path), signatures=known)
    description = {
        "name": "chroma",
        "version": version,
        "gives_variants": subject.gives_variants,
        "temperature": getattr(codec, "temperature", None),
        "takes_hints": subject.takes_hints,
        "gives_suggestions": subject.gives_suggestions,
        "working_size": subject.working_size,
        "size_multiple": subject.size_multiple,
    }
    (path / DESCRIPTION).parent.mkdir()
    (path / DESCRIPTION).write_text(json.dumps(description))
    if lite:
        content = tflite.convert(subject, tflite.about(description), logits=True)
        (path / LITE).write_bytes(content)
    return path
