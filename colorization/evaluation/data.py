"""The photos that systems are evaluated on: read one by one, each either measured or left out.

Photos are uint8 sRGB of shape `(height, width, 3)`, at their own size, upright.
"""

import dataclasses
import hashlib
import pathlib

import numpy as np
import tensorflow as tf

from colorization.evaluation import EvaluationError
from colorization.evaluation.metrics.artifacts import MIN_SIZE
from pipelines.color.gray import is_gray
from pipelines.photos import photo_files
from pipelines.photos.photo_files import PictureError
from pipelines.sources import opener

REASONS = ("damaged", "gray", "small")


@dataclasses.dataclass(frozen=True)
class Data:
    """Photos to evaluate on.

    Args:
        label: What tables call them: the last two folders, or the name of a data set.
        source: `pipelines.sources.opener.Source`.
        positions: Set of the positions in it that are taken.
    """

    label: str
    source: opener.Source
    positions: frozenset

    def jobs(self):
        """Yields the name and the element of every photo that is taken."""
        elements = zip(self.source.names, self.source.elements, strict=True)
        return (job for position, job in enumerate(elements) if position in self.positions)


class LeftOutError(Exception):
    """A photo that can't measure coloring.

    Attributes:
        reason: One of `REASONS`.
    """

    def __init__(self, reason, message):
        super().__init__(message)
        self.reason = reason


def open_data(specifications, limit=0, exclude=""):
    """Opens sets of photos, as of `--data`, each of which is evaluated by itself.

    Of each set `limit` photos are taken, evenly over its list; 0 takes all. `exclude` is as
    for `opener.open_source`. Raises `UserError` if a specification names nothing usable,
    `EvaluationError` if two sets would have the same name.
    """
    opened = []
    for specification in opener.split_specifications(specifications):
        source = opener.open_source(specification, exclude=exclude)
        total = len(source.names)
        taken = min(total, limit or total)
        positions = np.round(np.linspace(0, total - 1, taken)).astype(int).tolist()
        opened.append(Data(label(source.name), source, frozenset(positions)))
    labels = [data.label for data in opened]
    if len(set(labels)) < len(labels):
        raise EvaluationError(
            "Tables name sets by their last two folders, so these must differ. Received: "
            f"{', '.join(labels)}. Rename a folder, or evaluate them in separate calls."
        )
    return opened


def read(source, name, element):
    """Reads one photo: its pixels and the SHA-256 of its file.

    Raises `LeftOutError` if it is damaged, has no colors or is under `MIN_SIZE` on a side.
    """
    try:
        encoded = source.read(element).numpy()
        rgb = photo_files.decode_picture(name, encoded)
    except PictureError as error:
        raise LeftOutError("damaged", " ".join(str(error).splitlines())) from error
    except tf.errors.OpError as error:
        message = " ".join(error.message.splitlines())
        raise LeftOutError("damaged", f"{name}: {message}") from error
    if min(rgb.shape[:2]) < MIN_SIZE:
        raise LeftOutError("small", f"{name}: is under {MIN_SIZE} pixels on a side.")
    if is_gray(rgb):
        raise LeftOutError("gray", f"{name}: has no colors.")
    return rgb, hashlib.sha256(encoded).hexdigest()


def label(name):
    """What tables call a set: the last two folders, or the name of a data set."""
    kind, _, rest = name.partition(":")
    return "/".join(pathlib.Path(rest).absolute().parts[-2:]) if kind == "folder" else name
