"""Threads that do one job after another, and how they are asked to stop.

Threads rather than batches of pictures: TensorFlow and the codecs let go of the interpreter, so
that one photo is decoded while another goes through the network. Two threads gain as much on two
cores as a batch does, and leave every result as it is when colored alone.
"""

import concurrent.futures
import contextlib
import itertools
import os
import queue
import signal
import threading

from pipelines.console import num_processors


class Stop:
    """A request to take no more jobs; what is being done is finished.

    Attributes:
        signal: Number of the signal that made the request, 0 if none did.
        reason: One line that says why it was made otherwise, empty if it was not.
    """

    def __init__(self):
        self.signal = 0
        self.reason = ""

    @property
    def requested(self):
        """Whether it was made."""
        return bool(self.signal or self.reason)


class Allowance:
    """An amount of something that jobs in threads share: who would exceed it waits.

    Args:
        total: The amount. A job that needs more has all of it to itself.
    """

    def __init__(self, total):
        self._total, self._left = total, total
        # Whoever waits is next: many small jobs must not keep a large one waiting forever.
        self._queue, self._returned = threading.Lock(), threading.Condition()

    @contextlib.contextmanager
    def taking(self, amount):
        """Takes an amount while the context lasts; waits until there is so much."""
        amount = min(amount, self._total)
        with self._queue, self._returned:
            self._returned.wait_for(lambda: self._left >= amount)
            self._left -= amount
        try:
            yield
        finally:
            with self._returned:
                self._left += amount
                self._returned.notify_all()


def run(work, jobs, stop, num_threads=None):
    """Does jobs in threads; yields what `work` returns for each, in order of completion.

    There is a thread for each processor unless `num_threads` says otherwise. No more jobs are taken
    than there are threads, so that an iterable of any length costs the memory of the jobs in
    progress. What `work` raises is raised here. `stop` is obeyed between jobs. When the generator
    is closed, the jobs in progress are waited for.
    """
    jobs, done, num_running = iter(jobs), queue.SimpleQueue(), 0
    num_threads = num_threads or num_processors()
    with concurrent.futures.ThreadPoolExecutor(num_threads) as pool:
        while True:
            free = 0 if stop.requested else num_threads - num_running
            for job in itertools.islice(jobs, free):
                pool.submit(work, job).add_done_callback(done.put)
                num_running += 1
            if not num_running:
                return
            try:
                # A signal that comes right before the wait is handled after it: let that be soon.
                finished = done.get(timeout=0.5)
            except queue.Empty:
                continue
            num_running -= 1
            yield finished.result()


@contextlib.contextmanager
def stopped_by_signals(stop, message):
    """Lets Ctrl-C and SIGTERM request a stop while the context lasts; the second ends the process.

    At the first, `message` goes to standard error.
    """

    def handle(number, _):
        if stop.signal:
            os._exit(128 + number)
        stop.signal = number
        # Not `print`, which this very call may have interrupted.
        os.write(2, f"\n{message}\n".encode())

    # What a shell starts in the background ignores Ctrl-C, and goes on doing so.
    numbers = [signal.SIGINT, signal.SIGTERM]
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    kept = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
