"""Models for LiteRT (TensorFlow Lite): float, or with weights of 16 or 8 bits.

A model is the bytes of a flatbuffer. It takes `lightness`, float L* of shape
`(1, h, w, 1)` at the working size, and returns `coefficients` of shape `(1, h, w, 4)`: slopes of a
and b over L*, then their intercepts. Brought bilinearly to a photo's size, they give every pixel
its `ab = slope * L + intercept`. What a program must know of a model lies in it as JSON, by the
name `METADATA`. A model beside a SavedModel also returns the `logits` that variants are drawn from,
where its network predicts a distribution.
"""

import contextlib
import dataclasses
import importlib.util
import io
import json
import math
import os
import re

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils
from tensorflow.python.framework import convert_to_constants

from colorization.inference.sight import MAX_ASPECT
from pipelines.batches import decoding
from pipelines.errors import UserError
from pipelines.files import atomic_write

METADATA = "colorization"
SIGNATURE = "serving_default"
# What of a network int8 arithmetic is for; the colors are computed from its answer in float.
_INTEGER_OPERATIONS = (
    *("CONV_2D", "CONV_2D_TRANSPOSE", "FULLY_CONNECTED", "ADD", "MUL", "MEAN", "LOGISTIC", "RELU"),
    *("CONCATENATION", "PACK", "STRIDED_SLICE", "RESHAPE", "TRANSPOSE", "TANH"),
)


class ExportError(UserError):
    """A model that can't be exported. The message says how to fix it."""


def check_place(path, how):
    """Raises `ExportError`, before any work, if a model's file exists or a package is missing."""
    if os.path.exists(path):
        raise ExportError(f"{path} exists. Remove it, or choose another --output.")
    if how != "none" and importlib.util.find_spec("ai_edge_quantizer") is None:
        raise ExportError(
            f"--quantize={how} needs ai-edge-quantizer, which is not installed. Install it: "
            "pip install 'colorization[tflite]'."
        )


def write(path, content):
    """Writes a model whole or not at all, and returns its path; `ExportError` if it can't be."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with atomic_write(path) as file:
            file.write(content)
    except OSError as error:
        raise ExportError(f"{path} could not be written: {error}.") from error
    return path


def about(description, quantization="none"):
    """Description of a model within its file, from that beside a SavedModel."""
    # The prior is large, and nothing to a phone.
    kept = {name: value for name, value in description.items() if name != "prior"}
    return kept | {"quantization": quantization}


def convert(graph, description, size=None, logits=False):
    """Converts a `ColorizationGraph` to the bytes of a float32 model of LiteRT's own operations.

    `description` goes to `METADATA`; what the model takes and gives is added. `size` is `(height,
    width)` of the only input it takes, as delegates of phones need it; None for any multiples of
    the network's size multiple, by `resize_tensor_input`. With `logits` a network that predicts a
    distribution returns its logits as well.
    """
    height, width = size or (None, None)
    specs = [tf.TensorSpec((1, height, width, 1), tf.float32, "lightness")]
    if graph.takes_hints:
        specs.append(tf.TensorSpec((1, height, width, 3), tf.float32, "hints"))
    logits = logits and graph.is_quantized
    answer = graph.coefficients_and_logits if logits else lambda *see: [graph.coefficients(*see)]
    variable = tf.function(answer, specs, autograph=False).get_concrete_function()
    # Else the variables would stay variables, which LiteRT has no values for.
    constant = convert_to_constants.convert_variables_to_constants_v2(variable)

    @tf.function(autograph=False, input_signature=specs)
    def coefficients(*inputs):
        # Fewer values than names: without logits.
        return dict(zip(("coefficients", "logits"), constant(*inputs), strict=False))

    module = tf.Module()
    module.coefficients = coefficients
    concrete = coefficients.get_concrete_function()
    with _silence():
        content = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()
    interface = {
        "scaling": dataclasses.asdict(graph.codec),
        "max_aspect": MAX_ASPECT,
        "input": "lightness: float32 L* in [0, 100], sRGB under D65, (1, h, w, 1)",
        "input_size": list(size) if size else None,
        "takes_hints": graph.takes_hints,
        "output": "coefficients: float32 (1, h, w, 4), (a, b) = [..., :2] * L* + [..., 2:]",
    }
    return _with_metadata(content, description | interface)


def quantize(content, how, network, shown=()):
    """Makes the bytes of a float32 model smaller.

    `how` is `"float16"`: weights of 16 bits, computed in float. `"dynamic"`: weights of 8 bits;
    what goes through the network is rounded as it comes. `"int8"`: both of 8 bits, by the ranges
    that `shown` has, float arrays of L* of shape `(1, h, w, 1)`; the weights of the largest layer
    of 4, so that the whole, with all it must know of its scales, is a quarter of the float model.
    `network` is the name of the network within the model.
    """
    from ai_edge_quantizer import qtyping, quantizer

    # It changes what it is given.
    subject = quantizer.Quantizer(bytearray(content))
    ranges = None
    with _silence():
        if how == "float16":
            weights = qtyping.TensorQuantizationConfig(16, dtype=qtyping.TensorDataType.FLOAT)
            half = qtyping.OpQuantizationConfig(
                weight_tensor_config=weights,
                compute_precision=qtyping.ComputePrecision.FLOAT,
                explicit_dequantize=True,
            )
            for name in _INTEGER_OPERATIONS[:3]:
                operation = qtyping.TFLOperationName(name)
                subject.update_quantization_recipe(network, operation, half, "float_casting")
        elif how == "dynamic":
            for name in _INTEGER_OPERATIONS[:3]:
                subject.add_dynamic_config(network, qtyping.TFLOperationName(name), 8)
        else:
            for name in _INTEGER_OPERATIONS:
                subject.add_static_config(network, qtyping.TFLOperationName(name), 8, 8)
            # Several layers may be as large; any one of them does.
            if largest := _largest_convolution(content):
                operation = qtyping.TFLOperationName.CONV_2D
                subject.add_static_config(re.escape(largest), operation, 8, 4)
            ranges = _measure(content, subject.get_quantization_recipe(), shown)
        return bytes(subject.quantize(ranges).quantized_model)


def examples(graph, source, count, size=None):
    """Reads what a network sees of at most `count` pictures, taken evenly over a `Source`.

    `size` is `(height, width)` for all; None for each picture's own working size. Returns a list of
    float arrays of shape `(1, h, w, 1)`: L*. Damaged pictures are left out; `ExportError` if none
    can be read.
    """
    step = math.ceil(len(source.names) / count)
    elements = source.elements.shard(step, 0).map(source.read)
    pictures = elements.map(decoding.decode_in_graph).ignore_errors()
    found = [graph.seen(picture[None], size).numpy() for picture in pictures]
    if not found:
        raise ExportError(f"{source.name}: expected a picture. Received: none that can be read.")
    return found


def read_metadata(content):
    """Reads what `convert` wrote into a model; `LookupError` if another program made it."""
    model = schema.ModelT.InitFromPackedBuf(content)
    for entry in model.metadata or []:
        if entry.name == METADATA.encode():
            buffer = model.buffers[entry.buffer]
            # Of larger models the quantizer puts the buffers behind the flatbuffer.
            behind = content[buffer.offset : buffer.offset + buffer.size]
            return json.loads(bytes(behind if buffer.data is None else buffer.data))
    raise LookupError(f"a model with metadata called {METADATA} was expected")


def _measure(content, recipe, shown):
    """The ranges of activations over all examples."""
    from ai_edge_quantizer import calibrator, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    known = recipe_manager.RecipeManager()
    known.load_quantization_recipe(recipe)
    # By default ranges are averaged, and cut off what vivid photos need: twice the error.
    measured = calibrator.Calibrator(bytearray(content), qsv_update_func=qsv_utils.min_max_update)
    examples = [{"lightness": lightness} for lightness in shown]
    if read_metadata(content)["takes_hints"]:
        for example in examples:
            example["hints"] = np.repeat(np.zeros_like(example["lightness"]), 3, axis=-1)
    measured.calibrate({SIGNATURE: examples}, known)
    return measured.get_model_qsvs()


def _with_metadata(content, description):
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(json.dumps(description).encode())
    entry.name, entry.buffer = METADATA, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _largest_convolution(content):
    """Name of the convolution that has the most weights, or None."""
    model = schema.ModelT.InitFromPackedBuf(content)
    graph, code = model.subgraphs[0], schema.BuiltinOperator.CONV_2D
    sizes = {}
    for operation in graph.operators:
        if model.operatorCodes[operation.opcodeIndex].builtinCode == code:
            name = graph.tensors[operation.outputs[0]].name.decode()
            sizes[name] = math.prod(graph.tensors[operation.inputs[1]].shape)
    return max(sizes, key=sizes.get, default=None)


@contextlib.contextmanager
def _silence():
    """Keeps progress bars and sizes in other units out of a command's output."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
