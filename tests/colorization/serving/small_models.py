"""Models that are small enough to be made by a test."""

import json

import keras
import numpy as np
import tensorflow as tf

from colorization.inference import colorizer, graph
from colorization.serving import client_signature, signatures
from pipelines.color import codecs


def save(folder, codec="quantized_ab", version=1):
    """Saves a model `chroma` of random weights for local and remote use.

    Args:
        folder: Path of the folder that holds models.
        codec: Name; `quantized_ab` makes a model that sees several choices, `lab` one.
        version: Its number.

    Returns:
        Path of the version.
    """
    codec = codecs.CODECS[codec]
    network = keras.Sequential(
        [
            keras.Input((None, None, 1)),
            keras.layers.Conv2D(8, 5, 4, "same", activation="relu"),
            keras.layers.Conv2D(codec.num_outputs, 1),
        ]
    )
    for weight in network.weights:
        weight.assign(np.random.default_rng(version).normal(0, 0.3, weight.shape))
    subject = graph.ColorizationGraph(network, codec, 32, 16)
    subject.trace()
    path = folder / "chroma" / str(version)
    # Of all signatures only those that the tests of the client need, to save time.
    known = signatures.signatures(subject)
    known = {name: known[name] for name in ("arrays", client_signature.NAME)}
    tf.saved_model.save(subject, str(path), signatures=known)
    description = {
        "name": "chroma",
        "version": version,
        "gives_variants": subject.gives_variants,
    }
    (path / colorizer.DESCRIPTION).parent.mkdir()
    (path / colorizer.DESCRIPTION).write_text(json.dumps(description))
    return path
