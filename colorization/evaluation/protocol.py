"""What is told beside figures, so that others can be put beside them: the protocol and versions."""

import dataclasses
import importlib.metadata
import sys

from colorization.evaluation import data, figures, results, summary, systems
from colorization.evaluation.metrics import distances, intervals

PACKAGES = (
    "colorization",
    "tensorflow",
    "keras",
    "numpy",
    "pyvips-binary",
    "opencv-python-headless",
    "torch",
    "torch-fidelity",
    "lpips",
)


def protocol(found, limit, networks, num_variants):
    """Everything that makes two figures comparable.

    Args:
        found: `photo_loop.Found`.
        limit: Most photos taken of a set; 0 for all.
        networks: List of `features.Features`.
        num_variants: Colorings asked for.

    Returns:
        Dict for JSON.
    """
    known = dict(figures.FIGURES)
    for network in networks:
        known |= network.figures
    told = {
        "data": {
            "fingerprint": found.fingerprint,
            "photos": len(found.digests),
            "limit": limit,
            "left_out": f"damaged, gray, under {data.MIN_SIZE} pixels on a side",
        },
        "size": "each photo's own",
        "shown": "gray of equal luminance Y, 8 bits",
        "color": "sRGB, 8 bits; CIE L*a*b*, D65, 2 degrees",
        "intervals": {
            "level": intervals.LEVEL,
            "bootstrap": f"{intervals.NUM_RESAMPLES} draws of photos, seed {summary.SEED}",
            "fid": f"jackknife of {distances.NUM_GROUPS} groups",
        },
        "kid": f"cubic, unbiased over pairs of photos, blocks of at most {distances.MAX_BLOCK}",
        "figures": {name: figure.version for name, figure in known.items()},
        "networks": {network.name: network.protocol for network in networks},
        "variants": {},
    }
    if num_variants > 1:
        told["variants"] = {"number": num_variants, "seed": systems.VARIANTS_SEED}
    return told


def record(system, label, found, values, told, lines):
    """One line's object.

    Args:
        system: `systems.System`.
        label: Of the set.
        found: `photo_loop.Found`.
        values: Dict of `summary.Value`.
        told: The protocol.
        lines: Warnings.

    Returns:
        Dict for `results.to_lines`.
    """
    return {
        "format": results.FORMAT,
        "version": results.VERSION,
        "system": {"label": system.name} | system.description,
        "data": {
            "label": label,
            "photos": len(found.digests),
            "left_out": {reason: len(names) for reason, names in found.left_out.items()},
        },
        "figures": {name: dataclasses.asdict(value) for name, value in values.items()},
        "warnings": lines,
        "protocol": told,
        "versions": {"python": sys.version.split()[0]} | _versions(),
    }


def _versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
