import threading
import time

import pytest

from colorization.serving.web.service import WorkQueue
from colorization.serving.web.uploads import Problem


class Work:
    """Work that goes on until it is let go."""

    def __init__(self):
        self.begun, self.go_on, self.num_done = threading.Event(), threading.Event(), 0

    def __call__(self):
        self.begun.set()
        assert self.go_on.wait(20)
        self.num_done += 1
        return self


@pytest.fixture
def subject():
    queue = WorkQueue(1, 1, timeout=20)
    yield queue
    queue.close(wait=True)


def in_thread(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    return thread


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_gives_what_the_work_gives_and_raises_what_it_raises(subject):
    assert subject.run(lambda: 7) == 7
    with pytest.raises(KeyError):
        subject.run({}.popitem)
    # This is also what the queue itself waits with.
    with pytest.raises(TimeoutError, match="its own"):
        subject.run(lambda: (_ for _ in ()).throw(TimeoutError("its own")))
    assert subject.num_running == subject.num_waiting == 0


def test_what_is_beyond_the_limit_is_told_when_to_come_again(subject):
    first, second = Work(), Work()
    threads = [in_thread(subject.run, first)]
    assert first.begun.wait(20)
    threads.append(in_thread(subject.run, second))
    wait_until(lambda: subject.num_waiting == 1)
    assert subject.num_running == 1
    with pytest.raises(Problem) as caught:
        subject.run(Work())
    assert caught.value.reason == "busy"
    assert caught.value.retry_after in range(1, 61)
    for work in (first, second):
        work.go_on.set()
    for thread in threads:
        thread.join()
    assert subject.run(lambda: "room again") == "room again"
    assert first.num_done == second.num_done == 1


def test_whoever_waits_too_long_is_let_go():
    subject, first, second = WorkQueue(1, 1, timeout=0.05), Work(), Work()
    with pytest.raises(Problem) as caught:
        subject.run(first)
    assert caught.value.reason == "worked-too-long"
    with pytest.raises(Problem) as caught:
        subject.run(second)
    assert caught.value.reason == "waited-too-long"
    first.go_on.set()
    subject.close(wait=True)
    assert first.num_done == 1 and not second.begun.is_set()
    assert subject.num_running == subject.num_waiting == 0


def test_a_closed_queue_finishes_what_it_has_taken(subject):
    work, results = Work(), []
    thread = in_thread(lambda: results.append(subject.run(work)))
    assert work.begun.wait(20)
    subject.close()
    with pytest.raises(Problem) as caught:
        subject.run(Work())
    assert caught.value.reason == "stopping"
    work.go_on.set()
    thread.join()
    assert results == [work] and subject.closed
