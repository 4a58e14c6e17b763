"""The deployment's files agree with each other and with the server's protocols."""

import pathlib
import re
import shutil
import subprocess

import pytest
import yaml
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from colorization.inference.model_folder import RELEASED_MODEL
from colorization.serving import versions
from tests.colorization.serving import small_models
from tests.colorization.serving.double import Double

DEPLOY = pathlib.Path(__file__).parents[1] / "deploy"
CONFIGS = {"models.config", "monitoring.config", "batching.config"}
FIELD = descriptor_pb2.FieldDescriptorProto


def load(name):
    return yaml.safe_load((DEPLOY / name).read_text())


@pytest.fixture(scope="module")
def compose():
    (service,) = load("compose.yaml")["services"].values()
    return service


@pytest.fixture(scope="module")
def pod():
    return load("deployment.yaml")["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod):
    (container,) = pod["containers"]
    return container


def message(name, **fields):
    """Makes a message that the server knows and its Python package does not hold."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{name}.proto",
        package="test",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    added = file.message_type.add(name=name)
    for number, (field, kind) in enumerate(fields.items(), start=1):
        added.field.add(
            name=field,
            number=number,
            label=FIELD.LABEL_OPTIONAL,
            type=FIELD.TYPE_MESSAGE if isinstance(kind, str) else kind,
            type_name=f".{kind}" if isinstance(kind, str) else None,
        )
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"test.{name}"))


def test_models_are_where_they_are_mounted(compose, container):
    found = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((DEPLOY / "models.config").read_text(), found)
    (model,) = found.model_config_list.config
    assert (model.name, model.model_platform) == (RELEASED_MODEL.name, "tensorflow")
    assert model.model_version_policy.latest.num_versions == 2
    assert "../saved_models:/models:ro" in compose["volumes"]
    assert model.base_path == f"/models/{RELEASED_MODEL.name}"
    assert f"COPY {RELEASED_MODEL.name} {model.base_path}\n" in (DEPLOY / "Dockerfile").read_text()
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        path = container[probe]["httpGet"]["path"]
        assert path.removesuffix("/metadata") == f"/v1/models/{model.name}"


def test_monitoring_is_where_prometheus_looks():
    prometheus = message("PrometheusConfig", enable=FIELD.TYPE_BOOL, path=FIELD.TYPE_STRING)
    text = (DEPLOY / "monitoring.config").read_text()
    inner = text.partition("{")[2].rpartition("}")[0]
    found = text_format.Parse(inner, prometheus())
    assert text.startswith("prometheus_config {") and found.enable
    annotations = load("deployment.yaml")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == found.path
    assert annotations["prometheus.io/port"] == "8501"


def test_batching_puts_no_photos_together():
    whole, yes = "google.protobuf.Int64Value", "google.protobuf.BoolValue"
    parameters = message(
        "BatchingParameters",
        max_batch_size=whole,
        batch_timeout_micros=whole,
        max_enqueued_batches=whole,
        num_batch_threads=whole,
        enable_large_batch_splitting=yes,
        max_execution_batch_size=whole,
    )
    found = text_format.Parse((DEPLOY / "batching.config").read_text(), parameters())
    assert found.max_execution_batch_size.value == 1 and found.enable_large_batch_splitting.value
    assert found.max_enqueued_batches.value >= found.max_batch_size.value > 1
    assert found.num_batch_threads.value == 4


def test_the_exporter_writes_the_same(tmp_path):
    versions.write_configs(tmp_path, RELEASED_MODEL.name)
    for name in CONFIGS:
        # Comments aside, which each has of its own.
        ours, theirs = (
            re.sub(r"#.*", "", (folder / name).read_text()).split() for folder in (DEPLOY, tmp_path)
        )
        assert ours == theirs


def test_every_file_in_an_argument_is_mounted(compose, container):
    mounted = {entry.split(":")[1] for entry in compose["volumes"]}
    assert {f"/config/{name}" for name in CONFIGS} < mounted
    for entry in compose["volumes"]:
        assert (DEPLOY / entry.split(":")[0]).exists() and entry.endswith(":ro")
    (mount, _) = container["volumeMounts"]
    assert mount["mountPath"] == "/config" and mount["readOnly"]
    for arguments in (compose["command"], container["args"]):
        files = [value for value in arguments if "file=" in value]
        assert len(files) == 2
        for value in files:
            assert value.partition("=")[2].removeprefix("/config/") in CONFIGS
    (generator,) = load("kustomization.yaml")["configMapGenerator"]
    assert set(generator["files"]) == CONFIGS


def test_both_run_the_same_server(compose, container):
    assert set(container["args"]) < set(compose["command"])
    assert f"FROM {compose['image']}\n" in (DEPLOY / "Dockerfile").read_text()
    assert compose["image"].startswith("tensorflow/serving:2.")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": 8500, "http": 8501}
    assert {entry.rpartition(":")[2] for entry in compose["ports"]} == {"8500", "8501"}
    assert all(entry.startswith("127.0.0.1:") for entry in compose["ports"])


def test_neither_runs_as_root_or_writes(compose, pod, container):
    assert compose["read_only"] and compose["user"] == "65534:65534"
    assert compose["cap_drop"] == container["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["resources"]["limits"]["memory"] == "4Gi" and compose["mem_limit"] == "4g"


def test_the_service_finds_the_pods(container):
    deployment, service = load("deployment.yaml"), load("service.yaml")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["spec"]["selector"].items() <= labels.items()
    names = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} == names


def test_pods_drain_before_they_are_killed(pod, container):
    (_, seconds) = container["lifecycle"]["preStop"]["exec"]["command"]
    assert int(seconds) < pod["terminationGracePeriodSeconds"]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
def test_kustomize_takes_it():
    done = subprocess.run(
        ["kubectl", "kustomize", DEPLOY], capture_output=True, text=True, check=True
    )
    kinds = {found["kind"]: found for found in yaml.safe_load_all(done.stdout)}
    assert kinds.keys() == {"ConfigMap", "Service", "Deployment"}
    spec = kinds["Deployment"]["spec"]["template"]["spec"]
    assert spec["volumes"][0]["configMap"]["name"] == kinds["ConfigMap"]["metadata"]["name"]
    assert spec["containers"][0]["image"] == "colorization-serving:1"


@pytest.mark.slow
def test_the_health_check_tells_a_model_that_is_there(compose, tmp_path):
    shell, option, command = compose["healthcheck"]["test"][1:]
    with Double(small_models.save(tmp_path, "lab")) as double:

        def check(model):
            port = double.rest.rpartition(":")[2]
            script = command.replace("/8501", f"/{port}").replace("models/chroma", model)
            return subprocess.run([shell, option, script], timeout=60).returncode

        assert check("models/chroma") == 0
        assert check("models/sepia") != 0
        double.state = "LOADING"
        assert check("models/chroma") != 0
        double.stop()
        assert check("models/chroma") != 0
        double.start()
