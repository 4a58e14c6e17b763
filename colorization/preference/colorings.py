"""Colors the photos of a study beforehand, so that no voter waits for a model.

All pictures of a study are JPEG files of equal quality and without metadata, under names that are
digests, in one folder. They can be deleted: what is missing is made again.
"""

import dataclasses
import hashlib
import os
import random
import sys
from collections.abc import Callable

import tensorflow as tf

from colorization.inference import album, threads
from colorization.preference import standings
from pipelines import console
from pipelines.color.gray import has_colors
from pipelines.photos import photo_files
from pipelines.photos.photo_files import PictureError


@dataclasses.dataclass(frozen=True)
class Model:
    """What makes a picture of a photo.

    `fingerprint` changes with what it makes; `paint` is a function of a uint8 or uint16 RGB array
    that returns one of the same shape, and that threads call at once.
    """

    name: str
    fingerprint: str
    paint: Callable


TRUTH = Model(standings.TRUTH, standings.TRUTH, lambda rgb: rgb)


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
    """Path of the picture that a model made of a photo."""
    name = hashlib.sha256(f"{digest} {fingerprint}".encode()).hexdigest()[:32]
    return os.path.join(folder, f"{name}.jpg")


def draw_and_color(source, limit, models, folder, seed):
    """Makes all pictures of a study that are missing, and names the photos that are left out.

    Of the source `limit` photos are drawn, all for 0; with one seed the same when a study is
    resumed. Returns a dict of the names of the usable photos, by their digests.
    """
    positions = range(len(source.names))
    if 0 < limit < len(positions):
        positions = random.Random(seed).sample(positions, limit)
    usable, num_left_out, total = {}, 0, len(positions)
    with console.progress("Coloring", total, "photo") as bar:
        for name, digest, problem in prepare(source, set(positions), models, folder):
            if problem:
                bar.write(f"Left out: {problem}", file=sys.stderr)
                num_left_out += 1
            else:
                usable[digest] = name
            bar.update()
    if num_left_out:
        print(f"Left out {num_left_out:,} of {total:,} photos.", file=sys.stderr)
    return usable


def prepare(source, positions, models, folder):
    """Makes the pictures that are missing, as many at a time as there are processors.

    `positions` are the photos that are wanted of the source; beside the truth, those without colors
    are left out. Yields, in order of completion, a photo's name, the digest of its file, and one
    line that says why it cannot be used, or the empty text.
    """
    os.makedirs(folder, exist_ok=True)

    def work(job):
        name, element = job
        try:
            return name, _prepare_one(name, source.read(element).numpy(), models, folder), ""
        except (PictureError, tf.errors.OpError) as error:
            return name, None, album.reason(name, error)

    elements = zip(source.names, source.elements, strict=True)
    wanted = (job for position, job in enumerate(elements) if position in positions)
    return threads.run(work, wanted, threads.Stop())


def _prepare_one(name, encoded, models, folder):
    digest = hashlib.sha256(encoded).hexdigest()
    paths = {picture_path(folder, digest, model.fingerprint): model for model in models}
    missing = {path: model for path, model in paths.items() if not os.path.exists(path)}
    if missing:
        rgb = photo_files.decode_photo(name, encoded)[0].rgb
        if TRUTH in models and not has_colors(rgb):
            raise PictureError(
                "has no colors, so that it can't be compared with a model's coloring."
            )
        for path, model in missing.items():
            photo_files.write_picture(path, model.paint(rgb), overwrite=True)
    return digest
