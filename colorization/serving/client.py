"""Photo in, color photo out, with a model that TF Serving runs."""

import os
import textwrap
import urllib.parse

import numpy as np
import tensorflow as tf

from colorization.inference.album import CannotGoOn
from colorization.inference.colorizer import RELEASED_MODEL, Colorizer, ModelError
from colorization.serving import client_retries, client_signature
from colorization.serving.client_graph import RemoteGraph
from colorization.serving.client_retries import NotServed, Refused, Unavailable
from pipelines.photos.photo_files import PictureError

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
# Who starts a command on a server that is not there wants to know soon.
_START_TIMEOUT, _START_PATIENCE = 10.0, 3.0


class ServerAway(CannotGoOn):
    """The server went away and did not come back in time; the message is one line."""


class RemoteColorizer(Colorizer):
    """Colors photos as `Colorizer` does, save for rounding, with a model that TF Serving runs.

    Photos are read and written here, and of each only its lightness at the size that the network
    sees goes to the server: so photos of all kinds and sizes can be colored, and a hundred
    megapixels send no more than one. Threads may share it.

    Args:
        server: Address: `grpc://host:8500` or `http://host:8501`, or `grpcs://` and `https://` by
            TLS. The port may be left out.
        model: Name of the model on the server; default that of the released model. Of its versions
            the latest is taken, and kept to.
        timeout: Seconds that one try of a call may take.
        patience: Seconds from the first try of a call to the last; default two minutes.

    Attributes:
        description: Dict of the model's name, version, and whether it gives variants.

    Raises:
        ModelError: If the address is none, the server is not there or has no such model, or the
            model cannot be colored with from afar.
    """

    def __init__(
        self,
        server: str,
        model: str | None = None,
        *,
        timeout: float = _TIMEOUT,
        patience: float | None = None,
    ):
        self._server, self._timeout = server, timeout
        self._patience = client_retries.PATIENCE if patience is None else patience
        self._model = model or RELEASED_MODEL.name
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
        self.description = {
            "name": self._model,
            "version": self._version,
            "gives_variants": self._gives_variants,
        }
        size, multiple = (int(start[name][0]) for name in ("working_size", "size_multiple"))
        self._graph = RemoteGraph(self._ask, size, multiple)
        self._graph.trace()

    def _start(self):
        """Finds the model, and what one pixel, sent to it, tells of it."""
        timeout = min(_START_TIMEOUT, self._timeout)
        self._version, signatures = client_retries.call(
            lambda: self._transport.metadata(self._model, timeout), patience=_START_PATIENCE
        )
        inputs = signatures.get(client_signature.NAME, ())
        if "lightness_bytes" not in inputs:
            # Those with underscores are TensorFlow's own.
            others = ", ".join(sorted(name for name in signatures if not name.startswith("_")))
            raise ModelError(
                f"{self._server}: a model with the signature {client_signature.NAME!r} was "
                f"expected. Received: {self._model}, which has {others}. Export it again."
            )
        self._gives_variants = "count" in inputs
        return self._answer(np.zeros([1, 1, 1], np.float32), 0, 1, _START_PATIENCE)

    def _ask(self, lightness, seed, count):
        """What the server's network says of a photo: see `RemoteGraph`."""
        try:
            answer = self._answer(lightness, seed, count, self._patience)
        except NotServed as error:
            raise ServerAway(
                f"{self._server} no longer serves version {self._version} of {self._model}: "
                f"{_said(error)}. The same command takes the one that it serves now."
            ) from error
        except Refused as error:
            raise PictureError(f"{self._server} refuses it: {_said(error)}.") from error
        except Unavailable as error:
            raise ServerAway(
                f"{self._server} was tried for {self._patience:.0f} s and does not answer: "
                f"{_said(error)}."
            ) from error
        return tf.io.parse_tensor(answer["ab_bytes"][0], tf.float32)

    def _answer(self, lightness, seed, count, patience):
        inputs = {"lightness_bytes": np.array([tf.io.serialize_tensor(lightness).numpy()], object)}
        if self._gives_variants:
            inputs |= {"seed": np.array([seed], np.int32), "count": np.array([count], np.int32)}
        return client_retries.call(
            lambda: self._transport.predict(
                self._model, self._version, client_signature.NAME, inputs, self._timeout
            ),
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
        raise ModelError(f"{expected}another scheme. grpcs:// and https:// go by TLS.")
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise ModelError(f"{expected}more or less than a host and a port.")
    is_grpc, is_secure, default_port = _SCHEMES[scheme]
    host = f"[{host}]" if ":" in host else host
    target = f"{host}:{port or default_port}"
    path = parts.path.rstrip("/")
    if not is_grpc:
        from colorization.serving.client_rest import RestTransport

        return RestTransport(f"{scheme}://{target}{path}")
    if path:
        raise ModelError(f"{expected}a path, which gRPC has none of.")
    # Else it writes lines of its own among the command's; it reads this when it is first used.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from colorization.serving.client_grpc import GrpcTransport
    except ModuleNotFoundError as error:
        raise ModelError(
            f"--server={server}: gRPC needs the extra `serving` (pip install .[serving]), which is "
            "not installed. Install it, or use http://."
        ) from error
    return GrpcTransport(target, is_secure)
