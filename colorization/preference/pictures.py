"""Colors the photos of a study ahead of it, so that no voter waits for a model, or for one longer.

Law of the file: all pictures of a study are JPEG files of equal quality and without metadata, under
names that are digests, in one folder. They can be deleted: what is missing is made again.
"""

import dataclasses
import hashlib
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from colorization.inference import graph, threads, tone
from pipelines.color import spaces
from pipelines.photos import photo_files
from pipelines.photos.photo_files import PictureError


@dataclasses.dataclass(frozen=True)
class Model:
    """What makes a picture of a photo.

    Args:
        name: For the report.
        fingerprint: Digest that changes with what it makes.
        paint: Function of a uint8 or uint16 RGB array that returns one of the same shape. Threads
            call it at once.
    """

    name: str
    fingerprint: str
    paint: Callable


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What became of one element of the data.

    Args:
        name: Of the photo.
        digest: Of its file, or None if it cannot be used.
        problem: One line that says why, or the empty text.
    """

    name: str
    digest: str | None
    problem: str = ""


def to_gray(rgb):
    """Keeps the lightness of a photo and takes its colors; Y of CIE 1931 is kept to the level.

    Args:
        rgb: uint8 or uint16 array of shape `(height, width, 3)`, sRGB.

    Returns:
        Array of the same type and shape, of equal channels.
    """
    gray, full = np.empty_like(rgb), np.iinfo(rgb.dtype).max
    step = graph.strip_rows(1, rgb.shape[1])
    weights = spaces.RGB_TO_XYZ[1].astype(np.float32)[:, None]
    for top in range(0, len(rgb), step):
        light = spaces.srgb_to_linear(rgb[top : top + step]) @ weights
        level = np.clip(spaces.linear_to_srgb(light).numpy(), 0, 1)
        gray[top : top + step] = np.round(level * full)
    return gray


def fingerprint(folder):
    """Digest of the names and the contents of all files in a folder."""
    digest = hashlib.sha256()
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(parent, name)
            digest.update(os.fsencode(os.path.relpath(path, folder)))
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def picture_path(folder, digest, fingerprint):
    """Path of the picture that a model made of a photo.

    Args:
        folder: Of the study's pictures.
        digest: Of the photo.
        fingerprint: Of the model.
    """
    name = hashlib.sha256(f"{digest} {fingerprint}".encode()).hexdigest()[:32]
    return os.path.join(folder, f"{name}.jpg")


def prepare(source, positions, models, folder, only_colored, stop):
    """Makes all pictures of a study that are missing, as many at a time as there are processors.

    Args:
        source: `pipelines.sources.opener.Source`.
        positions: Set of the positions in it that are wanted.
        models: List of `Model`.
        folder: Of the study's pictures.
        only_colored: Whether photos without colors are of no use.
        stop: `threads.Stop`.

    Yields:
        `Prepared` of each position, in order of completion.
    """
    os.makedirs(folder, exist_ok=True)

    def work(job):
        name, element = job
        try:
            return _prepare_one(name, source.read(element).numpy(), models, folder, only_colored)
        except PictureError as error:
            problem = str(error)
        except tf.errors.OpError as error:
            problem = str(error.message).partition("\n")[0]
        if name not in problem:
            problem = f"{name}: {problem}"
        return Prepared(name, None, " ".join(problem.splitlines()))

    elements = zip(source.names, source.elements, strict=True)
    wanted = (job for position, job in enumerate(elements) if position in positions)
    return threads.run(work, wanted, stop)


def _prepare_one(name, encoded, models, folder, only_colored):
    digest = hashlib.sha256(encoded).hexdigest()
    paths = {picture_path(folder, digest, model.fingerprint): model for model in models}
    missing = {path: model for path, model in paths.items() if not os.path.exists(path)}
    if not missing:
        return Prepared(name, digest)
    rgb = photo_files.decode_photo(name, encoded)[0].rgb
    if only_colored and not tone.has_colors(rgb):
        raise PictureError("has no colors, so that it can't be held beside what a model made.")
    for path, model in missing.items():
        photo_files.write_picture(path, model.paint(rgb), overwrite=True)
    return Prepared(name, digest)
