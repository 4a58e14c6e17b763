"""The network on a server: TF Serving, by gRPC or HTTP, and how often calls are tried.

What the server refuses is not asked again. What may pass is retried, later each time and with some
jitter, so that clients that failed together do not come back together.

gRPC and its messages are imported when a gRPC transport is opened: they are an extra.
"""

import base64
import json
import os
import random
import textwrap
import time
import urllib.parse

import numpy as np
import urllib3

from colorization.inference import full_size
from colorization.inference.album import CannotGoOn
from colorization.inference.engines import saved_model
from colorization.inference.model_folder import RELEASED, RELEASED_MODEL, ModelError
from pipelines import console
from pipelines.photos.photo_files import PictureError

# Seconds. A server that restarts is back within a minute or two.
FIRST_WAIT, LONGEST_WAIT, PATIENCE = 0.5, 15.0, 120.0
_PASSING_STATUSES = {408, 409, 429, 502, 503, 504}
_CONNECT_SECONDS = 10
_PASSING_CODES = {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED"}
_CHANNEL_OPTIONS = [
    # 25 variants are more than the 4 MB that a client takes by default.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # By default a connection that was lost is not tried again for up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5000),
]
# Scheme: whether gRPC, whether TLS, default port. TF Serving's own two, and that of what stands
# before it.
_SCHEMES = {
    "grpc": (True, False, 8500),
    "grpcs": (True, True, 443),
    "http": (False, False, 8501),
    "https": (False, True, 443),
}
# Seconds for one try. 25 variants take a busy server a while.
_TIMEOUT = 60.0
# A command whose server is not there fails soon.
_START_TIMEOUT, _START_PATIENCE = 10.0, 3.0


class ServerAway(CannotGoOn):
    """The server went away and did not come back in time; the message is one line."""


class RemoteEngine:
    """Asks a model that TF Serving runs. See `model_folder`.

    Only the lightness of a photo is sent, at the size that the network sees: so photos of all
    kinds and sizes can be colored, and a hundred megapixels send no more than one.

    Args:
        server: Address: `grpc://host:8500` or `http://host:8501`, or `grpcs://` and `https://` by
            TLS. The port may be left out.
        model: Name of the model on the server; default that of the released model. Of its versions
            the latest is taken, and kept to.
        timeout: Seconds that one try of a call may take.
        patience: Seconds from the first try of a call to the last; default two minutes.

    Raises:
        ModelError: If the address is invalid, the server is not there or has no such model, or the
            model has no signature for clients.
    """

    def __init__(
        self,
        server: str,
        model: str | None = None,
        *,
        timeout: float = _TIMEOUT,
        patience: float | None = None,
    ):
        # TensorFlow writes and reads the messages.
        console.import_quietly()
        self._server, self._timeout = server, timeout
        self._patience = PATIENCE if patience is None else patience
        self._model = RELEASED_MODEL.name if model in (None, RELEASED) else model
        self._transport = _transport(server)
        try:
            start = self._start()
        except NotServed as error:
            raise ModelError(
                f"{server}: a model of the name {self._model!r} was expected. Received: "
                f"{_said(error)}. Name another with --model=NAME."
            ) from error
        except Refused as error:
            raise ModelError(
                f"{server}: TF Serving was expected. Received: {_said(error)}. Check --server."
            ) from error
        except Unavailable as error:
            raise ModelError(
                f"{server}: a running TF Serving was expected. Received: {_said(error)}. Start it, "
                "or check --server (as a rule gRPC is at port 8500, HTTP at 8501)."
            ) from error
        for name in ("working_size", "size_multiple"):
            self.description[name] = int(start[name][0])

    def coefficients(self, lightness, hints=None):
        """Predicts one coloring."""
        return self.variants(lightness, 0, 1, hints)

    def variants(self, lightness, seed, count, hints=None):
        """Predicts several colorings.

        Raises `PictureError` if the server refuses this photo, `ServerAway` if it is away, or no
        longer serves the model.
        """
        inputs = saved_model.inputs(lightness, hints, self.description, seed, count)
        return full_size.fit(lightness, saved_model.ab(self._ask(saved_model.NAME, inputs)))

    def suggest(self, lightness, place, hints=None):
        """Tells what the network believes of a place. Raises as `variants` does."""
        inputs = saved_model.inputs(lightness, hints, self.description, place=place)
        return saved_model.suggested(self._ask(saved_model.SUGGEST, inputs))

    def _start(self):
        """Finds the model, and reads its sizes from the answer to one pixel."""
        timeout = min(_START_TIMEOUT, self._timeout)
        version, signatures = call(
            lambda: self._transport.metadata(self._model, timeout), patience=_START_PATIENCE
        )
        inputs = signatures.get(saved_model.NAME, ())
        if "lightness_bytes" not in inputs:
            # Those with underscores are TensorFlow's own.
            others = ", ".join(sorted(name for name in signatures if not name.startswith("_")))
            raise ModelError(
                f"{self._server}: a model with the signature {saved_model.NAME!r} was "
                f"expected. Received: {self._model}, which has {others}. Export it again."
            )
        self.description = {
            "name": self._model,
            "version": version,
            "gives_variants": "count" in inputs,
            "takes_hints": "hints_bytes" in inputs,
            "gives_suggestions": saved_model.SUGGEST in signatures,
        }
        self.gives_variants = self.description["gives_variants"]
        self.gives_suggestions = self.description["gives_suggestions"]
        pixel = np.zeros([1, 1, 1, 1], np.float32)
        inputs = saved_model.inputs(pixel, None, self.description)
        return self._answer(saved_model.NAME, inputs, _START_PATIENCE)

    def _ask(self, name, inputs):
        try:
            return self._answer(name, inputs, self._patience)
        except NotServed as error:
            raise ServerAway(
                f"{self._server} no longer serves version {self.description['version']} of "
                f"{self._model}: "
                f"{_said(error)}. The same command takes the one that it serves now."
            ) from error
        except Refused as error:
            raise PictureError(f"{self._server} refuses it: {_said(error)}.") from error
        except Unavailable as error:
            raise ServerAway(
                f"{self._server} was tried for {self._patience:.0f} s and does not answer: "
                f"{_said(error)}."
            ) from error

    def _answer(self, name, inputs, patience):
        version = self.description["version"]
        return call(
            lambda: self._transport.predict(self._model, version, name, inputs, self._timeout),
            patience=patience,
        )


def _said(error):
    return textwrap.shorten(str(error), 300).rstrip(".")


def _transport(server):
    expected = f"--server={server}: expected grpc://HOST:8500 or http://HOST:8501. Received: "
    try:
        parts = urllib.parse.urlsplit(server)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise ModelError(f"{expected}{error}.") from error
    if scheme not in _SCHEMES:
        raise ModelError(f"{expected}another scheme. grpcs:// and https:// use TLS.")
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise ModelError(f"{expected}more or less than a host and a port.")
    is_grpc, is_secure, default_port = _SCHEMES[scheme]
    host = f"[{host}]" if ":" in host else host
    target = f"{host}:{port or default_port}"
    path = parts.path.rstrip("/")
    if not is_grpc:
        return RestTransport(f"{scheme}://{target}{path}")
    if path:
        raise ModelError(f"{expected}a path, which gRPC has none of.")
    # Else it writes lines of its own among the command's; it reads this when it is first used.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        return GrpcTransport(target, is_secure)
    except ModuleNotFoundError as error:
        raise ModelError(
            f"--server={server}: gRPC needs the package {error.name}, which is not installed. "
            "Install it: pip install 'colorization[serving]'. Or use http://."
        ) from error


class Refused(Exception):
    """The server refuses, and will refuse again: its words, in one line."""


class NotServed(Refused):
    """The server has no such model or version."""


class Unavailable(Exception):
    """The server is away, overloaded or too slow: why, in one line.

    After `retry_after` seconds the server asks to be tried again; None if it names none.
    """

    def __init__(self, message, retry_after=None):
        super().__init__(message)
        self.retry_after = retry_after


def call(work, *, patience=PATIENCE, clock=time.monotonic, sleep=time.sleep):
    """Calls `work` until the server answers, and returns what it returned.

    Tries that begin `patience` seconds after the first are not made: the `Unavailable` of the last
    is raised then. Other errors are raised at once.
    """
    end, wait = clock() + patience, FIRST_WAIT
    while True:
        try:
            return work()
        except Unavailable as error:
            pause = random.uniform(wait / 2, wait)
            if error.retry_after is not None:
                pause += error.retry_after
            if clock() + pause > end:
                raise
        sleep(pause)
        wait = min(2 * wait, LONGEST_WAIT)


class RestTransport:
    """Calls a server by HTTP. Threads may share it.

    Args:
        base: Address, as in `http://host:8501`; https with the certificates of the system.
    """

    def __init__(self, base):
        self._models = f"{base}/v1/models"
        # As many connections are kept as there may be threads.
        self._pool = urllib3.PoolManager(maxsize=64, retries=False)

    def metadata(self, model, timeout):
        """Asks which version of a model is served, and with which signatures.

        As `GrpcTransport.metadata`.
        """
        found = self._request("GET", f"/{model}/metadata", timeout)
        try:
            signatures = found["metadata"]["signature_def"]["signature_def"]
            version = int(found["model_spec"]["version"])
            return version, {name: set(one.get("inputs", ())) for name, one in signatures.items()}
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise Refused("an answer that is not TF Serving's") from error

    def predict(self, model, version, signature, inputs, timeout):
        """Calls a signature. As `GrpcTransport.predict`."""
        body = {
            "signature_name": signature,
            "inputs": {name: _to_json(array) for name, array in inputs.items()},
        }
        path = f"/{model}/versions/{version}:predict"
        found = self._request("POST", path, timeout, json.dumps(body).encode())
        try:
            return {name: _from_json(values) for name, values in found["outputs"].items()}
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise Refused("an answer that is not TF Serving's") from error

    def _request(self, method, path, timeout, body=None):
        try:
            response = self._pool.request(
                method,
                self._models + path,
                body=body,
                headers={"Content-Type": "application/json"},
                timeout=urllib3.Timeout(connect=min(_CONNECT_SECONDS, timeout), read=timeout),
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error
        if response.status != 200:
            _complain(response)
        try:
            return json.loads(response.data)
        except ValueError as error:
            raise Refused("an answer that is not TF Serving's") from error


def _complain(response):
    try:
        said = json.loads(response.data)["error"]
    except (ValueError, LookupError, TypeError):
        said = response.reason
    message = f"{response.status}: {said}"
    if response.status in _PASSING_STATUSES:
        raise Unavailable(message, _retry_after(response))
    raise (NotServed if response.status == 404 else Refused)(message)


def _retry_after(response):
    """Seconds that the server asks to wait: it may say a number or a date."""
    value = response.headers.get("Retry-After")
    try:
        return None if value is None else urllib3.Retry().parse_retry_after(value)
    except urllib3.exceptions.InvalidHeader:
        return None


def _to_json(array):
    if array.dtype != object:
        return array.tolist()
    return [{"b64": base64.b64encode(data).decode()} for data in array]


def _from_json(values):
    if isinstance(values[0], dict):
        return np.array([base64.b64decode(value["b64"]) for value in values], object)
    return np.array(values)


class GrpcTransport:
    """Calls a server, `host:port`, by gRPC. Threads may share it.

    TLS takes the certificates that gRPC knows, or those in the file that
    `GRPC_DEFAULT_SSL_ROOTS_FILE_PATH` names.
    """

    def __init__(self, target, secure):
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        if secure:
            channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), _CHANNEL_OPTIONS)
        else:
            channel = grpc.insecure_channel(target, _CHANNEL_OPTIONS)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def metadata(self, model, timeout):
        """Asks which version of a model is served, and for each signature's set of inputs.

        Raises `NotServed` if there is no such model, `Refused` if the server refuses, and
        `Unavailable` if it is away, overloaded or too slow.
        """
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = model
        response = _call_grpc(self._service.GetModelMetadata, request, timeout)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        inputs = {name: set(one.inputs) for name, one in signatures.signature_def.items()}
        return response.model_spec.version.value, inputs

    def predict(self, model, version, signature, inputs, timeout):
        """Calls a signature; inputs and outputs are dicts of arrays, strings of type object.

        Raises as `metadata` does.
        """
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name = model
        request.model_spec.version.value = version
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        response = _call_grpc(self._service.Predict, request, timeout)
        return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


def _call_grpc(method, request, timeout):
    import grpc

    try:
        return method(request, timeout=timeout)
    except grpc.RpcError as error:
        code = error.code().name
        message = f"{code}: {error.details()}"
        if code in _PASSING_CODES:
            raise Unavailable(message) from error
        if code == "NOT_FOUND":
            raise NotServed(message) from error
        raise Refused(message) from error
