"""SavedModels in TF Serving's layout: `<name>/<version>/`, and what TF Serving reads beside them.

Configuration is text in the protocol-buffer format of TF Serving's own messages:
`ModelServerConfig`, `BatchingParameters` and `MonitoringConfig`.

Source: TensorFlow Serving's guides "Configuration", "Batching" and "SavedModel Warmup".
"""

import json
import os

import tensorflow as tf

from colorization.inference.model_folder import DESCRIPTION, LITE
from colorization.serving import signatures, tflite
from colorization.serving.tflite import ExportError
from pipelines.files import atomic_path, atomic_write

WARM_UP = os.path.join("assets.extra", "tf_serving_warmup_requests")
# Where the official image looks for models.
_MOUNTED = "/models"

_MODELS = """\
# tensorflow_model_server --model_config_file={base}/models.config
model_config_list {{
  config {{
    name: "{name}"
    base_path: "{base}"
    model_platform: "tensorflow"
    # The version before the latest stays, for those who began with it.
    model_version_policy {{ latest {{ num_versions: 2 }} }}
  }}
}}
"""
_BATCHING = """\
# --enable_batching --batching_parameters_file={base}/batching.config
# Photos are colored one by one, since batches gained little where they were measured: what this
# gives is a queue with an end. `variants`, whose inputs have no batch, can't be called by it.
max_execution_batch_size {{ value: 1 }}
batch_timeout_micros {{ value: 0 }}
# Two for each core; set it to the machine.
num_batch_threads {{ value: 4 }}
# A call may hold 64 photos; where 256 wait, the next is refused.
enable_large_batch_splitting {{ value: true }}
max_batch_size {{ value: 64 }}
max_enqueued_batches {{ value: 256 }}
"""
_MONITORING = """\
# --monitoring_config_file={base}/monitoring.config
prometheus_config {{
  enable: true
  path: "/monitoring/prometheus/metrics"
}}
"""
_FILES = {
    "models.config": _MODELS,
    "batching.config": _BATCHING,
    "monitoring.config": _MONITORING,
}


def next_version(directory):
    """The version after the highest in a model's directory; 1 in an empty or absent one."""
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return max((int(name) for name in names if name.isdigit()), default=0) + 1


def save(graph, directory, version, description, lite=False):
    """Writes one version of a model, whole or not at all, and returns its path.

    The `ColorizationGraph` is saved with the signatures that `signatures.signatures` makes of it;
    the last part of `directory` is the model's name. With `lite` the same model for LiteRT lies
    beside it, by which `Colorizer` starts without TensorFlow. Beside the version lie the
    configuration files of TF Serving, and in it, where tensorflow-serving-api is installed,
    requests to warm up by.

    Raises `ExportError` if that version exists, or the place can't be written to.
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
            write_warm_up(os.path.join(partial, WARM_UP), name, graph.gives_variants)
            write_configs(directory, name)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"{path} could not be written: {error}.") from error
    return path


def write_configs(directory, name):
    """Writes the configuration files beside a model's versions, and returns their paths.

    A server that has the directory mounted at `/models/NAME` reads them there. A file that is there
    already stays: it may have been fitted to a machine.
    """
    written = []
    for file_name, text in _FILES.items():
        path = os.path.join(directory, file_name)
        if os.path.exists(path):
            continue
        with atomic_write(path, "w") as file:
            file.write(text.format(name=name, base=f"{_MOUNTED}/{name}"))
        written.append(path)
    return written


def write_warm_up(path, name, gives_variants):
    """Writes requests that a server sends itself before it takes others: one for each signature.

    Returns whether the protocol's classes are installed (`tensorflow-serving-api`); if not, nothing
    is written.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError:
        return False
    with tf.io.TFRecordWriter(path) as records:
        for signature, inputs in _requests(gives_variants).items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for key, value in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            records.write(log.SerializeToString())
    return True


def _requests(gives_variants):
    """Inputs of a small request for every signature; what was called once is warm, at any size."""
    ramp = tf.cast(tf.range(64 * 64) * 255 // (64 * 64), tf.uint8)
    picture = tf.repeat(tf.reshape(ramp, [64, 64, 1]), 3, axis=-1)
    lightness = tf.cast(picture[..., :1], tf.float32) * (100 / 255)
    files = [tf.io.encode_jpeg(picture).numpy(), tf.io.encode_png(picture).numpy()]
    client = {"lightness_bytes": [tf.io.serialize_tensor(lightness).numpy()]}
    requests = {
        "serving_default": {"image_bytes": files},
        "arrays": {"images": picture[None].numpy()},
        "chroma": {"lightness": lightness[None].numpy()},
        "client": client,
    }
    if gives_variants:
        number = tf.constant([1]).numpy()
        requests["client"] = client | {"seed": number, "count": number}
        requests["variants"] = {"image_bytes": files[0], "seed": number[0], "count": number[0]}
    return requests
