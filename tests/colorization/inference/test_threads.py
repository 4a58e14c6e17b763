import threading

import pytest

from colorization.inference import threads


def test_results_come_in_order_of_completion():
    second_is_done = threading.Event()

    def work(job):
        if job == "first":
            assert second_is_done.wait(60)
        return job

    results = threads.run(work, ["first", "second"], threads.Stop(), num_threads=2)
    assert next(results) == "second"
    second_is_done.set()
    assert list(results) == ["first"]


@pytest.mark.parametrize("num_threads", [1, 3])
def test_all_jobs_are_done_and_none_is_taken_early(num_threads):
    taken = []

    def jobs():
        for job in range(20):
            taken.append(job)
            yield job

    for done, _ in enumerate(threads.run(str, jobs(), threads.Stop(), num_threads), start=1):
        assert len(taken) <= done + num_threads
    assert done == len(taken) == 20


def test_a_stop_lets_the_jobs_in_progress_finish():
    stop, started, go_on = threads.Stop(), [], threading.Event()

    def work(job):
        started.append(job)
        if job:
            assert go_on.wait(60)
        return job

    results = threads.run(work, range(20), stop, num_threads=2)
    assert next(results) == 0
    stop.reason = "enough"
    go_on.set()
    assert list(results) == [1]
    assert started == [0, 1]


def test_what_work_raises_is_raised():
    def work(job):
        raise KeyError(job)

    with pytest.raises(KeyError, match="7"):
        list(threads.run(work, [7], threads.Stop(), num_threads=2))


def test_there_is_a_thread_for_each_processor(monkeypatch):
    assert threads.num_processors() >= 1
    monkeypatch.setattr(threads, "num_processors", lambda: 3)
    together = threading.Barrier(3, timeout=60)
    results = threads.run(lambda _: together.wait(), range(3), threads.Stop())
    assert sorted(results) == [0, 1, 2]


def test_who_would_exceed_an_allowance_waits():
    allowance, order = threads.Allowance(10), []

    def take(amount):
        with allowance.taking(amount):
            order.append(amount)

    # More than there is counts as all of it.
    others = [threading.Thread(target=take, args=(amount,)) for amount in (5, 99)]
    with allowance.taking(6):
        take(4)
        others[0].start()
        others[0].join(0.1)
        order.append("returned")
    others[1].start()
    for other in others:
        other.join(60)
    assert order == [4, "returned", 5, 99]
