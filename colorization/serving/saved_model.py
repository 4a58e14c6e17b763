"""SavedModels in TF Serving's layout: `<name>/<version>/`, with what they are beside the graph."""

import json
import os

import tensorflow as tf

from colorization.inference.model_folder import DESCRIPTION, LITE
from colorization.serving import ExportError, server_files, signatures, tflite
from pipelines.files import atomic_path


def next_version(directory):
    """The version after the highest in a model's directory; 1 in an empty or absent one."""
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return max((int(name) for name in names if name.isdigit()), default=0) + 1


def save(graph, directory, version, description, lite=False):
    """Writes one version of a model, whole or not at all.

    Args:
        graph: A `colorization.inference.graph.ColorizationGraph`, saved with the signatures that
            `signatures.signatures` makes of it.
        directory: Of the model; its last part is the model's name.
        version: Positive integer.
        description: Dict of what the model is, for JSON.
        lite: Whether the same model for LiteRT is written beside it, by which `Colorizer` starts
            without TensorFlow.

    Beside the version lie the configuration files of TF Serving, and in it, where
    tensorflow-serving-api is installed, requests to warm up by: see `configs`.

    Returns:
        The path of the version.

    Raises:
        ExportError: If that version exists, or the place can't be written to.
    """
    path = os.path.join(directory, str(version))
    if os.path.exists(path):
        raise ExportError(f"{path} exists. Leave --version out to write the next one.")
    try:
        os.makedirs(directory, exist_ok=True)
        # Its name is no number meanwhile: a server that watches the directory passes it by.
        with atomic_path(path) as partial:
            tf.saved_model.save(graph, partial, signatures=signatures.signatures(graph))
            name = os.path.basename(os.path.abspath(directory))
            known = {
                "name": name,
                "version": version,
                "gives_variants": graph.gives_variants,
                "takes_hints": graph.takes_hints,
                "gives_suggestions": graph.gives_suggestions,
                "working_size": graph.working_size,
                "size_multiple": graph.size_multiple,
            }
            description = known | description
            os.makedirs(os.path.join(partial, os.path.dirname(DESCRIPTION)))
            with open(os.path.join(partial, DESCRIPTION), "w") as file:
                json.dump(description, file, indent=1)
            if lite:
                # After the model is saved: what was traced before would be saved as well.
                with open(os.path.join(partial, LITE), "wb") as file:
                    file.write(tflite.convert(graph, tflite.about(description), logits=True))
            server_files.write_warm_up(
                os.path.join(partial, server_files.WARM_UP), name, graph.gives_variants
            )
            server_files.write_configs(directory, name)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"{path} could not be written: {error}.") from error
    return path
