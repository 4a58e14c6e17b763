"""The files that start training on several machines agree with each other and with the command."""

import pathlib
import re
import subprocess
import sys

import pytest
import yaml

from colorization import flags
from colorization.training.cluster.membership import Cluster, find_cluster

DEPLOY = pathlib.Path(__file__).parents[1] / "deploy" / "training"


@pytest.fixture(scope="module")
def found():
    return {one["kind"]: one for one in yaml.safe_load_all((DEPLOY / "job.yaml").read_text())}


@pytest.fixture(scope="module")
def container(found):
    (container,) = found["Job"]["spec"]["template"]["spec"]["containers"]
    return container


def run_script(tmp_path, *arguments, statuses=(0,)):
    """Runs the script with a command in Python's place that notes how it was called."""
    python = tmp_path / "python"
    python.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        f"calls = open({str(tmp_path / 'calls')!r}, 'a+')\n"
        "print(os.environ['TF_CONFIG'], *sys.argv[1:], sep='\\t', file=calls)\n"
        "calls.seek(0)\n"
        f"sys.exit({tuple(statuses)!r}[len(calls.readlines()) - 1])\n"
    )
    python.chmod(0o755)
    done = subprocess.run(
        ["sh", DEPLOY / "start_worker.sh", *arguments], env={"PYTHON": str(python)}, timeout=60
    )
    calls = tmp_path / "calls"
    return done.returncode, calls.read_text().splitlines() if calls.exists() else []


def test_the_script_says_which_worker_it_is(tmp_path):
    status, (call,) = run_script(
        tmp_path, "1", "a:1,b:2,c:3", "--data=folder:my photos", "--seed=4"
    )
    environment, *arguments = call.split("\t")
    assert status == 0
    assert find_cluster({"TF_CONFIG": environment}) == Cluster(("a:1", "b:2", "c:3"), 1)
    assert arguments == ["-m", "colorization.train", "--data=folder:my photos", "--seed=4"]


def test_the_script_starts_again_what_another_worker_ended(tmp_path):
    status, calls = run_script(tmp_path, "0", "a:1,b:2", "--seed=4", statuses=(75, 75, 0))
    assert status == 0 and len(calls) == 3 and len(set(calls)) == 1


@pytest.mark.parametrize("status", [1, 130])
def test_the_script_hands_other_statuses_on(tmp_path, status):
    returned, calls = run_script(tmp_path, "0", "a:1,b:2", "--seed=4", statuses=(status,))
    assert returned == status and len(calls) == 1


def test_the_script_hands_a_signal_on(tmp_path):
    python = tmp_path / "python"
    python.write_text(
        f"#!{sys.executable}\nimport signal\nprint('ready', flush=True)\nsignal.pause()\n"
    )
    python.chmod(0o755)
    script = subprocess.Popen(
        ["sh", DEPLOY / "start_worker.sh", "0", "a:1,b:2", "--seed=4"],
        env={"PYTHON": str(python)},
        stdout=subprocess.PIPE,
    )
    assert script.stdout.readline() == b"ready\n"
    script.terminate()
    # Its end closes the pipe, which the command holds too.
    assert script.communicate(timeout=60)[0] == b"" and script.returncode == 143


def test_the_script_wants_flags(tmp_path):
    assert run_script(tmp_path, "0", "a:1,b:2") == (2, [])


def test_the_pods_are_the_workers_of_the_addresses(found, container):
    job, service = found["Job"], found["Service"]
    index, addresses, *_ = container["args"]
    assert index == "$(JOB_COMPLETION_INDEX)" and job["spec"]["completionMode"] == "Indexed"
    # A pod's host name is the job's name and its index.
    name, subdomain = job["metadata"]["name"], job["spec"]["template"]["spec"]["subdomain"]
    (port,) = service["spec"]["ports"]
    assert addresses.split(",") == [
        f"{name}-{number}.{subdomain}:{port['port']}"
        for number in range(job["spec"]["completions"])
    ]
    assert job["spec"]["parallelism"] == job["spec"]["completions"]
    assert subdomain == service["metadata"]["name"] and service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert container["ports"][0]["containerPort"] == port["port"]


def test_the_arguments_are_flags_of_the_training_command(container, tmp_path):
    given = [argument.partition("=")[0] for argument in container["args"][2:]]
    known = {f"--{name}" for name in flags.config.Config.__dataclass_fields__}
    assert set(given) <= known | {"--flagfile"}
    (flagfile,) = [a for a in container["args"] if a.startswith("--flagfile=/app/")]
    assert (DEPLOY.parents[1] / flagfile.removeprefix("--flagfile=/app/")).is_file()
    for flag in ("--data=folder:/shared/", "--model_dir=/shared/"):
        assert any(argument.startswith(flag) for argument in container["args"])
    assert {"name": "shared", "mountPath": "/shared"} in container["volumeMounts"]


def test_only_the_workers_reach_the_port(found):
    labels = found["Job"]["spec"]["template"]["metadata"]["labels"]
    policy = found["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"] == labels == found["Service"]["spec"]["selector"]
    (rule,) = policy["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": labels}}]
    assert rule["ports"] == [{"port": 2222}]


def test_a_mistake_fails_the_job_and_a_loss_does_not(found, container):
    template = found["Job"]["spec"]["template"]["spec"]
    assert template["restartPolicy"] == "Never"
    (mistake,) = [
        rule for rule in found["Job"]["spec"]["podFailurePolicy"]["rules"] if "onExitCodes" in rule
    ]
    assert mistake["action"] == "FailJob" and 75 not in mistake["onExitCodes"]["values"]
    assert mistake["onExitCodes"]["containerName"] == container["name"]
    assert 1 in mistake["onExitCodes"]["values"]


def test_the_pods_are_not_root_and_keep_their_hands_off(found, container):
    assert found["Job"]["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_the_image_holds_what_it_starts(container):
    text = (DEPLOY / "Dockerfile").read_text()
    for source in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE):
        assert all((DEPLOY.parents[1] / name).exists() for name in source.split())
    assert 'ENTRYPOINT ["start_worker.sh"]' in text
    assert f"--tag {container['image']} " in text
