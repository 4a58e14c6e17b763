"""The network on a server: TF Serving, by gRPC or HTTP."""

import os
import textwrap
import urllib.parse

import numpy as np

from colorization.inference import full_size
from colorization.inference.album import CannotGoOn
from colorization.inference.engines import saved_model, transports
from colorization.inference.engines.transports import NotServed, Refused, Unavailable
from colorization.inference.model_folder import RELEASED, RELEASED_MODEL, ModelError
from pipelines import console
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
        self._patience = transports.PATIENCE if patience is None else patience
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
        version, signatures = transports.call(
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
        return transports.call(
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
        return transports.RestTransport(f"{scheme}://{target}{path}")
    if path:
        raise ModelError(f"{expected}a path, which gRPC has none of.")
    # Else it writes lines of its own among the command's; it reads this when it is first used.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        return transports.GrpcTransport(target, is_secure)
    except ModuleNotFoundError as error:
        raise ModelError(
            f"--server={server}: gRPC needs the package {error.name}, which is not installed. "
            "Install it: pip install 'colorization[serving]'. Or use http://."
        ) from error
