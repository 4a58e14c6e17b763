"""Networks that pictures are compared by, each under a name of its own.

Law of the file: a picture goes in at its own size, as uint8 RGB, and by itself, so that no figure
depends on how pictures are batched. Figures of different networks, weights or sizes are different
figures; all three are in the protocol.
"""

import dataclasses
import hashlib
import importlib
from collections.abc import Callable

import numpy as np

from colorization.evaluation import EvaluationError
from colorization.evaluation.figures import Figure


@dataclasses.dataclass(frozen=True)
class Features:
    """A network at work. Threads may share it.

    Args:
        name: What the figures' names begin with.
        protocol: Dict of what the figures depend on.
        extract: Function from a uint8 picture to a float32 vector, for distances between sets;
            None if the network has none.
        distance: Function of two uint8 pictures of one size to their distance.
        is_standard: Whether it is the network that the bare names `fid` and `kid` stand for.
        has_even_kernel: Whether vectors are brought to a root mean square of 1 for KID.
    """

    name: str
    protocol: dict
    extract: Callable | None
    distance: Callable
    is_standard: bool = False
    has_even_kernel: bool = False

    def figure_name(self, kind):
        """Name of its `kid`, `fid` or `diversity`."""
        return kind if self.is_standard and kind != "diversity" else f"{self.name}-{kind}"

    @property
    def figures(self):
        """Dict of the `Figure`s that it gives, several variants or not."""
        diversity = {self.figure_name("diversity"): Figure("higher", 3)}
        if self.extract is None:
            return {self.name: Figure("lower", 4)} | diversity
        kid, fid = Figure("lower", 1, scale=1000), Figure("lower", 1)
        return {self.figure_name("kid"): kid, self.figure_name("fid"): fid} | diversity


# Name: module, imported only when asked for, and its function of a weights file or None.
FEATURES = {
    "squeezenet": ("colorization.evaluation.squeezenet_features", "open_squeezenet"),
    "inception": ("colorization.evaluation.inception", "open_inception"),
    "torch-fidelity": ("colorization.evaluation.perceptual", "open_fidelity"),
    "lpips": ("colorization.evaluation.perceptual", "open_lpips"),
}


def open_features(text):
    """Opens the networks that `--features` names.

    Args:
        text: Names of `FEATURES`, each with `:FILE` behind it if its weights are in a file,
            separated by commas.

    Returns:
        List of `Features`.

    Raises:
        EvaluationError: If a name is unknown, a package is missing or weights can't be had.
    """
    opened = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, path = word.partition(":")
        if name not in FEATURES:
            raise EvaluationError(
                f"--features takes {', '.join(FEATURES)}, each with :FILE behind it for weights of "
                f"your own, separated by commas. Received: {word}."
            )
        module, function = FEATURES[name]
        opened.append(getattr(importlib.import_module(module), function)(path or None))
    names = [features.name for features in opened]
    if len(set(names)) < len(names):
        raise EvaluationError(f"--features names a network once. Received: {', '.join(names)}.")
    return opened


def euclidean(extract):
    """Distance of two pictures by their feature vectors, as a function of the pictures."""
    return lambda picture, other: float(np.linalg.norm(extract(picture) - extract(other)))


def digest(arrays):
    """SHA-256 of weights, whatever file they came in.

    Args:
        arrays: Iterable of arrays, in the network's own order.
    """
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array, np.float32).tobytes())
    return found.hexdigest()
