import os
import signal
import sys

import pytest

pytest.importorskip("apache_beam")

import apache_beam

from pipelines.errors import UserError
from pipelines.shards import beam_runner

pytestmark = pytest.mark.xdist_group("processes")

# As in processes, but for starting them.
APART = "--direct_running_mode=multi_threading --direct_num_workers=1"
HERE = "--direct_running_mode=in_memory --direct_num_workers=1"


class OwnError(ValueError):
    pass


OwnError.__module__, OwnError.__qualname__ = "pipelines.made_up", "OwnError"


def count(number):
    apache_beam.metrics.Metrics.counter("test", "numbers").inc(number)


def numbers(step):
    return lambda pipeline: pipeline | apache_beam.Create([1, 2, 3]) | apache_beam.Map(step)


def test_counters_come_back_by_name():
    assert beam_runner.run(numbers(count), beam_options=HERE) == {"numbers": 6}


def test_an_error_of_this_project_is_one_line():
    def fail(_):
        raise OwnError("A line that says it all.")

    with pytest.raises(UserError, match=r"^A line that says it all\.$"):
        beam_runner.run(numbers(fail), beam_options=APART)


@pytest.mark.slow
def test_any_other_error_is_a_mistake_of_the_program():
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        beam_runner.run(numbers(lambda number: number / 0), beam_options=APART)


@pytest.mark.parametrize(
    "options", ["--no_such_option=3", "direct_num_workers=2", "'", "--direct_num_workers=two"]
)
def test_options_that_beam_does_not_know_are_refused_in_one_line(options, capfd):
    with pytest.raises(UserError, match="--beam_options=") as error:
        beam_runner.prepare(beam_options=options)
    assert "\n" not in str(error.value) and capfd.readouterr() == ("", "")


def test_a_runner_that_is_none_is_refused_by_name():
    with pytest.raises(UserError, match="^--runner=NoRunner: .*FlinkRunner"):
        beam_runner.prepare("NoRunner")


@pytest.mark.parametrize("runner", ["FlinkRunner", "SparkRunner", "PortableRunner"])
def test_options_of_other_runners_are_left_to_them(runner):
    beam_runner.prepare(runner, "--an_option_of_its_server=3")


def test_this_machine_gets_a_process_for_each_processor():
    options = beam_runner.prepare().get_all_options()
    assert options["direct_running_mode"] == "multi_processing"
    assert options["direct_num_workers"] == len(os.sched_getaffinity(0))


def test_a_file_system_without_its_package_is_named():
    beam_runner.check_path("folder/**")
    with pytest.raises(UserError, match=r"^nofs://a/\*\*: "):
        beam_runner.check_path("nofs://a/**")


def test_without_beam_a_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(UserError, match=r"pip install 'colorization\[scale\]'"):
        beam_runner.run(numbers(count))


class Mark(apache_beam.DoFn):
    """Counts, and leaves the number of its process; one of them is killed if asked."""

    def __init__(self, folder, deadly=None):
        self.folder, self.deadly = folder, deadly

    def process(self, pair):
        (self.folder / str(os.getpid())).touch()
        if pair[0] == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        count(1)


def marked(folder, deadly=None):
    pairs = [(number, number) for number in range(20)]

    def build(pipeline):
        grouped = pipeline | apache_beam.Create(pairs) | apache_beam.GroupByKey()
        return grouped | apache_beam.ParDo(Mark(folder, deadly))

    return build


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.slow
def test_work_is_dealt_out_to_processes_which_end_with_it(tmp_path):
    options = "--direct_num_workers=2"
    assert beam_runner.run(marked(tmp_path), beam_options=options) == {"numbers": 20}
    assert len(os.listdir(tmp_path)) == 2
    assert str(os.getpid()) not in os.listdir(tmp_path)
    assert all(map(is_gone, os.listdir(tmp_path)))


@pytest.mark.slow
def test_a_killed_worker_ends_the_run_with_one_line_and_the_others(tmp_path):
    with pytest.raises(UserError, match="A worker process was killed"):
        beam_runner.run(marked(tmp_path, deadly=7), beam_options="--direct_num_workers=2")
    assert all(map(is_gone, os.listdir(tmp_path)))
