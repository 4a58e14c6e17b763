"""A bounded queue of work: who comes when it is full is told when to come again."""

import concurrent.futures
import math
import threading
import time

_FIRST_GUESS = 1.0
_LONGEST_RETRY = 60


class Busy(Exception):
    """The queue is full.

    Args:
        retry_after: Whole seconds after which there may be room.
    """

    def __init__(self, retry_after):
        super().__init__(f"full for about {retry_after} s")
        self.retry_after = retry_after


class Overdue(Exception):
    """The answer did not come in time.

    Args:
        started: Whether the work was begun; it goes on then, since a thread cannot be stopped, and
            its result is dropped. Work that was not begun never is.
    """

    def __init__(self, started):
        super().__init__("begun" if started else "not begun")
        self.started = started


class Closed(Exception):
    """The queue takes no more work."""


class WorkQueue:
    """Does work in a few threads while those who asked for it wait.

    Args:
        num_workers: How much is done at once.
        max_waiting: How much more is taken on.
        timeout: Seconds until whoever waits is let go.
    """

    def __init__(self, num_workers, max_waiting, timeout):
        self._pool = concurrent.futures.ThreadPoolExecutor(num_workers, "coloring")
        self._num_workers = num_workers
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._lock = threading.Lock()
        self._num_taken = self._num_running = 0
        self._mean_seconds = _FIRST_GUESS
        self._closed = False

    @property
    def closed(self):
        """Whether it takes no more work."""
        return self._closed

    @property
    def num_running(self):
        """How much is being done."""
        return self._num_running

    @property
    def num_waiting(self):
        """How much was taken on and is not begun."""
        return self._num_taken - self._num_running

    def run(self, work):
        """Does work when its turn comes.

        Args:
            work: Function without arguments.

        Returns:
            What it returned.

        Raises:
            Busy: If the queue is full.
            Closed: If the queue is closed.
            Overdue: If it takes longer than the queue's timeout, waiting included.
            Exception: What `work` raised.
        """
        with self._lock:
            if self._closed:
                raise Closed
            if self._num_taken >= self._num_workers + self._max_waiting:
                raise Busy(self._retry_after())
            self._num_taken += 1
        future = self._pool.submit(self._do, work)
        future.add_done_callback(self._leave)
        try:
            return future.result(self._timeout)
        except concurrent.futures.TimeoutError as error:
            # What `work` itself raised may be of this sort.
            if future.done() and not future.cancelled():
                raise
            raise Overdue(started=not future.cancel()) from error

    def close(self, wait=False):
        """Takes no more work; what was taken on is done.

        Args:
            wait: Whether to return only when it is.
        """
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait)

    def _do(self, work):
        with self._lock:
            self._num_running += 1
        start = time.monotonic()
        try:
            return work()
        finally:
            seconds = time.monotonic() - start
            with self._lock:
                self._num_running -= 1
                self._mean_seconds += (seconds - self._mean_seconds) / 10

    def _leave(self, _):
        with self._lock:
            self._num_taken -= 1

    def _retry_after(self):
        seconds = self._mean_seconds * self._num_taken / self._num_workers
        return min(max(math.ceil(seconds), 1), _LONGEST_RETRY)
