"""A stand-in for TF Serving: its protocols over real sockets, its refusals, and faults on order.

It runs the SavedModel itself. Like the server with batching on, it takes no call whose inputs or
outputs do not have the batch first. What it cannot stand in for: the server's own scheduling,
limits and speed, and whether that server's TensorFlow loads the model.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import pathlib
import re
import ssl
import threading

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

Code = grpc.StatusCode
# As TF Serving's http_server.cc has them.
HTTP_STATUS = {
    Code.INVALID_ARGUMENT: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.NOT_FOUND: 404,
    Code.ABORTED: 409,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}
CODES = {code.value[0]: code for code in Code}
PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(/metadata|:predict)?")


class Refusal(Exception):
    """An error of the server: a code, a message, and after how many seconds to come again."""

    def __init__(self, code, message, retry_after=None):
        super().__init__(message)
        self.code, self.retry_after = code, retry_after


class Double:
    """A server of one version of one model, on ports of its own; a context manager.

    Args:
        folder: Path of the version, as in `models/chroma/1`.
        name: Name of the model.
        certificate: Paths of a key and a certificate in PEM, to be spoken to by TLS.

    Attributes:
        version, state: What it says of its model.
        calls: Signature of each call to predict, those that failed on order among them.
        most_at_once: How many there were at one time.
        faults: List that orders faults: the next calls to predict each take one out and raise it
            (a `Refusal`), lose the connection (`"drop"`), close the gate (`"hold"`) or are answered
            (`None`).
        held: `threading.Event`, set when a call has closed the gate.
        gate: `threading.Event` that calls to predict wait for; set from the start.
        open_at: Number of calls at one time that opens the gate; 0 for none.
    """

    def __init__(self, folder, name="chroma", certificate=None):
        self._folder, self.name, self._certificate = pathlib.Path(folder), name, certificate
        self.version, self.state = int(self._folder.name), "AVAILABLE"
        self._model = tf.saved_model.load(str(folder))
        saved = saved_model_pb2.SavedModel.FromString(
            (self._folder / "saved_model.pb").read_bytes()
        )
        self.signature_defs = saved.meta_graphs[0].signature_def
        self._lock, self._now = threading.Lock(), 0
        self.calls, self.most_at_once, self.faults, self.open_at = [], 0, [], 0
        self.gate, self.held = threading.Event(), threading.Event()
        self.gate.set()
        self._grpc_port = self._rest_port = 0
        self._grpc = self._rest = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.gate.set()
        self.stop()

    @property
    def grpc(self):
        return f"grpc{'s' if self._certificate else ''}://localhost:{self._grpc_port}"

    @property
    def rest(self):
        return f"http{'s' if self._certificate else ''}://localhost:{self._rest_port}"

    def start(self):
        """Listens: again on the same ports after `stop`."""
        self._grpc = grpc.server(concurrent.futures.ThreadPoolExecutor(32))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            _Prediction(self), self._grpc
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Status(self), self._grpc)
        address = f"127.0.0.1:{self._grpc_port}"
        self._rest = _HttpServer(("127.0.0.1", self._rest_port), _Handler)
        if self._certificate is None:
            self._grpc_port = self._grpc.add_insecure_port(address)
        else:
            key, certificate = self._certificate
            pair = (key.read_bytes(), certificate.read_bytes())
            credentials = grpc.ssl_server_credentials([pair])
            self._grpc_port = self._grpc.add_secure_port(address, credentials)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._rest.socket = context.wrap_socket(self._rest.socket, server_side=True)
        self._grpc.start()
        self._rest.double, self._rest_port = self, self._rest.server_address[1]
        threading.Thread(target=self._rest.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        """Goes away; what is being answered is lost."""
        self._grpc.stop(0).wait()
        self._rest.shutdown()
        self._rest.server_close()

    def find(self, name, version):
        """Raises what the server says of a model that it has not."""
        if name != self.name or version not in (None, self.version):
            which = "Latest" if version is None else "Specific"
            number = "" if version is None else f", {version}"
            raise Refusal(
                Code.NOT_FOUND, f"Servable not found for request: {which}({name}{number})"
            )

    def predict(self, name, version, signature, inputs):
        """Calls a signature with a dict of arrays; returns one."""
        with self._counted(signature):
            fault = self._next_fault()
            if fault == "hold":
                self.gate.clear()
                self.held.set()
            self.gate.wait(60)
            if fault == "drop":
                raise ConnectionResetError
            if isinstance(fault, Refusal):
                raise fault
            self.find(name, version)
            if signature not in self.signature_defs:
                raise Refusal(
                    Code.FAILED_PRECONDITION, f'Serving signature key "{signature}" not found.'
                )
            self._check_inputs(self.signature_defs[signature], inputs)
            try:
                outputs = self._model.signatures[signature](
                    **{name: tf.constant(array) for name, array in inputs.items()}
                )
            except tf.errors.OpError as error:
                raise Refusal(CODES[error.error_code], error.message) from error
            outputs = {name: tensor.numpy() for name, tensor in outputs.items()}
            (batch,) = {len(array) for array in inputs.values()}
            if any(array.shape[:1] != (batch,) for array in outputs.values()):
                raise Refusal(Code.FAILED_PRECONDITION, "Batched output tensor has another batch.")
            return outputs

    def status(self):
        """What the model's status is, as the server prints it."""
        response = get_model_status_pb2.GetModelStatusResponse()
        one = response.model_version_status.add(version=self.version, state=self.state)
        one.status.error_code = 0
        return response

    def metadata(self):
        """The model's version and signatures."""
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = self.name
        response.model_spec.version.value = self.version
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=self.signature_defs)
        response.metadata["signature_def"].Pack(signatures)
        return response

    def _next_fault(self):
        with self._lock:
            return self.faults.pop(0) if self.faults else None

    @contextlib.contextmanager
    def _counted(self, signature):
        with self._lock:
            self._now += 1
            self.calls.append(signature)
            self.most_at_once = max(self.most_at_once, self._now)
            if self._now == self.open_at:
                self.gate.set()
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1

    def _check_inputs(self, signature, inputs):
        if inputs.keys() != signature.inputs.keys():
            raise Refusal(Code.INVALID_ARGUMENT, "input size does not match signature")
        for name, info in signature.inputs.items():
            found = tf.as_dtype(inputs[name].dtype)
            if found != tf.as_dtype(info.dtype):
                raise Refusal(Code.INVALID_ARGUMENT, f"{name} is of type {found.name}")
        if len({array.shape[:1] for array in inputs.values()} | {()}) != 2:
            raise Refusal(
                Code.INVALID_ARGUMENT,
                "Batching input tensors must have equal 0th-dimension size",
            )


@contextlib.contextmanager
def _aborting(context):
    try:
        yield
    except Refusal as error:
        context.abort(error.code, str(error))
    except ConnectionResetError:
        context.abort(Code.UNAVAILABLE, "Socket closed")


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, double):
        self._double = double

    def Predict(self, request, context):
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        response = predict_pb2.PredictResponse()
        with _aborting(context):
            outputs = self._double.predict(spec.name, version, spec.signature_name, inputs)
            for name, array in outputs.items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(array))
        return response

    def GetModelMetadata(self, request, context):
        with _aborting(context):
            self._double.find(request.model_spec.name, None)
        return self._double.metadata()


class _Status(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, double):
        self._double = double

    def GetModelStatus(self, request, context):
        with _aborting(context):
            self._double.find(request.model_spec.name, None)
        return self._double.status()


class _HttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    # Ports are taken again at once.
    allow_reuse_address = True
    double = None

    def __init__(self, *args):
        super().__init__(*args)
        self._open = set()

    def process_request(self, request, client_address):
        self._open.add(request)
        super().process_request(request, client_address)

    def server_close(self):
        super().server_close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(2)

    def handle_error(self, request, client_address):
        """Clients that go away are none of the tests' business."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer(None)

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body):
        try:
            status, answer, headers = 200, self._find(body), {}
        except Refusal as error:
            status, answer, headers = HTTP_STATUS[error.code], {"error": str(error)}, {}
            if error.retry_after is not None:
                headers["Retry-After"] = error.retry_after
        except ConnectionResetError:
            self.close_connection = True
            return
        data = json.dumps(answer, indent=1).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", len(data))
        self.end_headers()
        self.wfile.write(data)

    def _find(self, body):
        double, found = self.server.double, PATH.fullmatch(self.path)
        if found is None or (body is None) != (found[3] != ":predict"):
            raise Refusal(Code.INVALID_ARGUMENT, f"Malformed request: {self.command} {self.path}")
        name, version = found[1], found[2] and int(found[2])
        if body is not None:
            return _predict(double, name, version, body)
        double.find(name, version)
        if found[3] is None:
            return json_format.MessageToDict(
                double.status(),
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=double.signature_defs)
        spec = {"name": double.name, "signature_name": "", "version": str(double.version)}
        as_dict = json_format.MessageToDict(signatures, preserving_proto_field_name=True)
        return {"model_spec": spec, "metadata": {"signature_def": as_dict}}

    def log_message(self, *_):
        pass


def _predict(double, name, version, body):
    """The column format and the row format of TF Serving's REST interface."""
    try:
        request = json.loads(body)
    except ValueError as error:
        raise Refusal(Code.INVALID_ARGUMENT, f"JSON Parse error: {error}") from error
    signature = request.get("signature_name", "serving_default")
    infos = double.signature_defs[signature].inputs if signature in double.signature_defs else {}
    rows = request.get("instances")
    if rows is None:
        columns = request["inputs"]
        if not isinstance(columns, dict):
            columns = dict.fromkeys(infos, columns)
    elif isinstance(rows[0], dict) and "b64" not in rows[0]:
        columns = {key: [row[key] for row in rows] for key in rows[0]}
    else:
        columns = dict.fromkeys(infos, rows)
    inputs = {
        key: _array(values, tf.as_dtype(infos[key].dtype) if key in infos else None)
        for key, values in columns.items()
    }
    outputs = double.predict(name, version, signature, inputs)
    outputs = {key: _values(key, array) for key, array in outputs.items()}
    if rows is None:
        return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}
    if len(outputs) == 1:
        return {"predictions": next(iter(outputs.values()))}
    return {
        "predictions": [
            dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)
        ]
    }


def _array(values, dtype):
    if dtype == tf.string:
        return np.array([base64.b64decode(value["b64"], validate=True) for value in values], object)
    return np.array(values, None if dtype is None else dtype.as_numpy_dtype)


def _values(name, array):
    if array.dtype != object:
        return array.tolist()
    if name.endswith("_bytes"):
        return [{"b64": base64.b64encode(value).decode()} for value in array]
    return [value.decode() for value in array]
