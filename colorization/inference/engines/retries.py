"""What can go wrong between client and server, and how often a call is tried.

What the server refuses is never asked again. What may pass is, later and later, by chance a little
sooner, so that clients that failed together do not come back together.
"""

import random
import time

# Seconds. A server that starts anew is back within a minute or two.
FIRST_WAIT, LONGEST_WAIT, PATIENCE = 0.5, 15.0, 120.0


class Refused(Exception):
    """The server's answer is no, and will be: its words, in one line."""


class NotServed(Refused):
    """The server has no such model or version."""


class Unavailable(Exception):
    """The server is away, overloaded or too slow: why, in one line.

    Args:
        message: The line.
        retry_after: Seconds after which the server asks to be tried again; None if it says nothing.
    """

    def __init__(self, message, retry_after=None):
        super().__init__(message)
        self.retry_after = retry_after


def call(work, *, patience=PATIENCE, clock=time.monotonic, sleep=time.sleep):
    """Calls until the server answers.

    Args:
        work: Function without arguments; what it raises other than `Unavailable` is raised here.
        patience: Seconds from the first try after which none is begun any more.
        clock: Function that tells seconds.
        sleep: Function of seconds.

    Returns:
        What `work` returned.

    Raises:
        Unavailable: That of the last try.
    """
    end, wait = clock() + patience, FIRST_WAIT
    while True:
        try:
            return work()
        except Unavailable as error:
            pause = random.uniform(wait / 2, wait)
            if error.retry_after is not None:
                pause += error.retry_after
            if clock() + pause > end:
                raise
        sleep(pause)
        wait = min(2 * wait, LONGEST_WAIT)
