"""Goes over the photos of a set, once, and over all systems at each.

Memory holds the photos in progress, one for each processor, and of the others what `Measured`
keeps. Results are put in the order of the photos' digests, so that neither the order of files nor
that of threads changes them.
"""

import dataclasses
import hashlib

from colorization.evaluation import data as photos
from colorization.evaluation import evaluators
from colorization.evaluation.measure import measure
from colorization.evaluation.systems import to_gray
from colorization.inference import threads


@dataclasses.dataclass
class Found:
    """What an evaluation found on one set.

    Attributes:
        digests: SHA-256 of the photos measured, sorted.
        names: Their names, in that order.
        measured: Dict of lists of `Measured`, in that order, by the name of the system.
        true_vectors: Dict of lists of the photos' own vectors, in that order, by the name of the
            network.
        left_out: Dict of sorted lists of lines, by reason.
    """

    digests: list
    names: list
    measured: dict
    true_vectors: dict
    left_out: dict

    @property
    def fingerprint(self):
        """Digest of the photos measured, whatever they are called."""
        return hashlib.sha256("\n".join(self.digests).encode()).hexdigest()


def evaluate(data, systems, networks, num_variants, stop, on_photo=lambda: None):
    """Measures systems on a set of photos, as many at a time as there are processors.

    Args:
        data: `data.Data`.
        systems: List of `systems.System`.
        networks: List of `features.Features`.
        num_variants: Colorings that models were asked for.
        stop: `threads.Stop`.
        on_photo: Called after every photo.

    Returns:
        `Found`, of the photos until `stop` was requested.
    """
    rows, left_out = [], {reason: [] for reason in photos.REASONS}

    def work(job):
        return _measure_photo(data.source, *job, systems, networks, num_variants)

    for row in threads.run(work, data.jobs(), stop):
        if isinstance(row, photos.LeftOutError):
            left_out[row.reason].append(str(row))
        else:
            rows.append(row)
        on_photo()
    rows.sort(key=lambda row: row[:2])
    return Found(
        digests=[row[0] for row in rows],
        names=[row[1] for row in rows],
        measured={
            system.name: [row[2][index] for row in rows] for index, system in enumerate(systems)
        },
        true_vectors={
            network.name: [row[3][network.name] for row in rows]
            for network in networks
            if network.extract is not None
        },
        left_out={reason: sorted(lines) for reason, lines in left_out.items()},
    )


def _measure_photo(source, name, element, systems, networks, num_variants):
    try:
        photo, digest = photos.read(source, name, element)
    except photos.LeftOutError as error:
        return error
    truth, shown, found = evaluators.Picture(photo), to_gray(photo), []
    for system in systems:
        variants = [evaluators.Picture(rgb) for rgb in system.color(shown, photo)]
        asked = num_variants if system.description["kind"] == "model" else 1
        found.append(measure(truth, variants, networks, asked))
    vectors = {n.name: n.extract(photo) for n in networks if n.extract is not None}
    return digest, name, found, vectors
