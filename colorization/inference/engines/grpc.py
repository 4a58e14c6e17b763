"""TF Serving's gRPC interface, as far as coloring needs it."""

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from colorization.inference.engines.retries import NotServed, Refused, Unavailable

_PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
}
_OPTIONS = [
    # 25 variants are more than the 4 MB that a client takes by default.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # By default a connection that was lost is not tried again for up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5000),
]


class GrpcTransport:
    """Calls a server by gRPC. Threads may share it.

    Args:
        target: `host:port`.
        secure: Whether by TLS, with the certificates that gRPC knows, or those in the file that
            `GRPC_DEFAULT_SSL_ROOTS_FILE_PATH` names.
    """

    def __init__(self, target, secure):
        if secure:
            channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), _OPTIONS)
        else:
            channel = grpc.insecure_channel(target, _OPTIONS)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def metadata(self, model, timeout):
        """Asks which version of a model is served, and with which signatures.

        Returns:
            The version, and a dict of each signature's set of inputs.

        Raises:
            NotServed: If there is no such model.
            Refused: If the server refuses.
            Unavailable: If it is away, overloaded or too slow.
        """
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = model
        response = _call(self._service.GetModelMetadata, request, timeout)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        inputs = {name: set(one.inputs) for name, one in signatures.signature_def.items()}
        return response.model_spec.version.value, inputs

    def predict(self, model, version, signature, inputs, timeout):
        """Calls a signature.

        Args:
            model: Name of the model.
            version: Its number.
            signature: Name of the signature.
            inputs: Dict of arrays; strings are of type object.
            timeout: Seconds.

        Returns:
            Dict of arrays.

        Raises:
            NotServed: If there is no such model or version.
            Refused: If the server refuses.
            Unavailable: If it is away, overloaded or too slow.
        """
        request = predict_pb2.PredictRequest()
        request.model_spec.name = model
        request.model_spec.version.value = version
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        response = _call(self._service.Predict, request, timeout)
        return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


def _call(method, request, timeout):
    try:
        return method(request, timeout=timeout)
    except grpc.RpcError as error:
        message = f"{error.code().name}: {error.details()}"
        if error.code() in _PASSING:
            raise Unavailable(message) from error
        if error.code() == grpc.StatusCode.NOT_FOUND:
            raise NotServed(message) from error
        raise Refused(message) from error
