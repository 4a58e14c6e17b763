"""TF Serving's REST interface, as far as coloring needs it."""

import base64
import json

import numpy as np
import urllib3

from colorization.inference.engines.retries import NotServed, Refused, Unavailable

_PASSING = {408, 409, 429, 502, 503, 504}
_CONNECT_SECONDS = 10


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
    if response.status in _PASSING:
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
