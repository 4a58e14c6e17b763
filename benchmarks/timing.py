"""Times ways of doing something in turn, so that other work on the machine slows all of them."""

import time


def by_turns(ways, rounds, warm_up=1):
    """Runs each way once a round.

    Args:
        ways: Dict of functions without arguments, by name.
        rounds: Rounds that count.
        warm_up: Rounds before these, which trace functions and fill caches.

    Returns:
        Dict of the same names: the seconds of each round.
    """
    times = {name: [] for name in ways}
    for turn in range(warm_up + rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn >= warm_up:
                times[name].append(time.perf_counter() - start)
    return times
