"""TF Serving's files, read back by its own protocol's classes."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from colorization.serving import versions

model_server_config_pb2 = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
# The package leaves these two messages out. Field: (type, message), from
# tensorflow_serving/servables/tensorflow/session_bundle_config.proto and
# tensorflow_serving/config/monitoring_config.proto.
_INT64, _BOOL, _STRING, _MESSAGE = 3, 8, 9, 11
MESSAGES = {
    "Int64Value": {"value": (_INT64, None)},
    "BatchingParameters": {
        name: (_MESSAGE, ".Int64Value")
        for name in (
            *("max_batch_size", "batch_timeout_micros", "max_enqueued_batches"),
            *("num_batch_threads", "max_execution_batch_size"),
        )
    }
    | {"enable_large_batch_splitting": (_MESSAGE, ".BoolValue")},
    "BoolValue": {"value": (_BOOL, None)},
    "PrometheusConfig": {"enable": (_BOOL, None), "path": (_STRING, None)},
    "MonitoringConfig": {"prometheus_config": (_MESSAGE, ".PrometheusConfig")},
}


def message(name):
    file = descriptor_pb2.FileDescriptorProto(name="serving.proto", syntax="proto3")
    for message_name, fields in MESSAGES.items():
        kind = file.message_type.add(name=message_name)
        for number, (field, (field_type, type_name)) in enumerate(fields.items(), 1):
            kind.field.add(name=field, number=number, type=field_type, label=1, type_name=type_name)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()


@pytest.fixture
def folder(tmp_path):
    versions.write_configs(str(tmp_path), "photos")
    return tmp_path


def test_the_models_file_names_the_model_where_the_image_mounts_it(folder):
    read = text_format.Parse(
        (folder / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    (model,) = read.model_config_list.config
    assert (model.name, model.base_path) == ("photos", "/models/photos")
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.latest.num_versions == 2


def test_the_batching_file_has_fields_that_the_server_knows(folder):
    read = text_format.Parse(
        (folder / "batching.config").read_text(), message("BatchingParameters")
    )
    assert read.max_execution_batch_size.value == 1
    assert read.max_batch_size.value >= 1 and read.num_batch_threads.value >= 1


def test_the_monitoring_file_turns_prometheus_on(folder):
    text = (folder / "monitoring.config").read_text()
    read = text_format.Parse(text, message("MonitoringConfig"))
    assert read.prometheus_config.enable
    assert read.prometheus_config.path == "/monitoring/prometheus/metrics"


def test_a_file_that_was_edited_stays(folder):
    (folder / "batching.config").write_text("# mine")
    assert versions.write_configs(str(folder), "photos") == []
    assert (folder / "batching.config").read_text() == "# mine"


@pytest.mark.parametrize("gives_variants", [True, False])
def test_warm_up_has_a_request_for_every_signature(tmp_path, gives_variants):
    from tensorflow_serving.apis import prediction_log_pb2

    path = str(tmp_path / "requests")
    assert versions.write_warm_up(path, "photos", gives_variants)
    found = {}
    for record in tf.data.TFRecordDataset(path):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        assert request.model_spec.name == "photos"
        found[request.model_spec.signature_name] = request.inputs
    expected = {"serving_default", "arrays", "chroma", "client"}
    assert found.keys() == (expected | {"variants"} if gives_variants else expected)
    assert tf.make_ndarray(found["arrays"]["images"]).dtype == np.uint8


def test_without_the_package_there_is_no_warm_up(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow_serving.apis", None)
    assert not versions.write_warm_up(str(tmp_path / "requests"), "photos", True)
    assert not list(tmp_path.iterdir())
