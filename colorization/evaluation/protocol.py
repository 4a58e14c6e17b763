"""Records of figures: a line of JSON for each system on each set, with the protocol.

The protocol holds all that figures depend on. They may stand side by side if it is the same.
"""

import dataclasses
import json

from colorization.evaluation import EvaluationError, figures
from colorization.evaluation.metrics import artifacts, distances
from pipelines import console

FORMAT = "colorization-evaluation"
VERSION = 1
VARIANTS_SEED = 0
# Sections of a protocol of which two records may have different parts.
OPTIONAL = ("figures", "networks", "variants")
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


def records(systems, label, found, limit, networks, num_variants):
    """What a file of records holds of one `MeasuredSet`: a dict for each system.

    `limit` is the most photos taken of a set; 0 for all.
    """
    warnings = figures.warnings(networks, len(found.digests))
    told = _protocol(found, limit, networks, num_variants)
    data = {
        "label": label,
        "photos": len(found.digests),
        "left_out": {reason: len(names) for reason, names in found.left_out.items()},
    }
    return [
        record(
            {"label": system.name} | system.description,
            data,
            figures.summarize(found.measured[system.name], found.true_vectors, networks),
            warnings,
            told,
        )
        for system in systems
    ]


def record(system, data, values, warnings, protocol):
    """A record of `figures.Value`s by name, and of dicts that say what they are of."""
    versions = console.installed_versions(PACKAGES)
    return {
        "format": FORMAT,
        "version": VERSION,
        "system": system,
        "data": data,
        "figures": {name: dataclasses.asdict(value) for name, value in values.items()},
        "warnings": warnings,
        "protocol": protocol,
        "versions": {name: version for name, version in versions.items() if version},
    }


def of_pixels(names):
    """The part of a protocol that says of which pixels figures are."""
    return {
        "size": "each photo's own",
        "shown": "gray of equal luminance Y, 8 bits",
        "color": "sRGB, 8 bits; CIE L*a*b*, D65, 2 degrees",
        "figures": {name: figures.find(name).version for name in names},
    }


def _protocol(found, limit, networks, num_variants):
    left_out = ("network", "film")
    names = [name for name, figure in figures.FIGURES.items() if figure.of not in left_out]
    names += [name for network in networks for name in network.figures]
    variants = {"number": num_variants, "seed": VARIANTS_SEED} if num_variants > 1 else {}
    return {
        "data": {
            "fingerprint": found.fingerprint,
            "photos": len(found.digests),
            "limit": limit,
            "left_out": f"damaged, gray, under {artifacts.MIN_SIZE} pixels on a side",
        },
        "intervals": {
            "level": distances.LEVEL,
            "bootstrap": f"{distances.NUM_RESAMPLES} draws of photos, seed {distances.SEED}",
            "fid": f"jackknife of {distances.NUM_GROUPS} groups",
        },
        "kid": f"cubic, unbiased over pairs of photos, blocks of at most {distances.MAX_BLOCK}",
        "networks": {network.name: network.protocol for network in networks},
        "variants": variants,
    } | of_pixels(names)


def to_lines(records):
    """Text of a file of records."""
    # JSON has no infinity; Python's float takes the word.
    plain = json.loads(json.dumps(records), parse_constant=str)
    return "".join(json.dumps(one) + "\n" for one in plain)


def read(path):
    """Reads a file of records: a list of dicts, as of `records`.

    Raises `EvaluationError` if the file is another one, of another version, or names a figure that
    this version does not know.
    """
    try:
        with open(path, encoding="utf-8") as file:
            records = [_parse(line) for line in file if line.strip()]
    except OSError as error:
        raise EvaluationError(f"{path}: can't be read: {error.strerror or error}.") from error
    except EvaluationError as error:
        raise EvaluationError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        records = []
    if not records:
        raise EvaluationError(
            f"{path}: expected lines that colorization.evaluate --output wrote, of version "
            f"{VERSION}. Received another file."
        )
    return records


def _parse(line):
    one = json.loads(line)
    if (one["format"], one["version"]) != (FORMAT, VERSION):
        raise ValueError("another format")
    for name, values in one["figures"].items():
        figures.find(name)
        for key in ("value", "low", "high"):
            values[key] = None if values[key] is None else float(values[key])
    # What a table needs.
    labels = one["system"]["label"], one["data"]["label"]
    if not all(isinstance(label, str) for label in labels) or not isinstance(one["warnings"], list):
        raise ValueError("no record")
    _ = int(one["data"]["photos"]), one["protocol"]["data"]
    return one


def differences(protocol, other, path=""):
    """Yields where two protocols differ: the name, such as `data.photos`, and both its values."""
    for key in sorted(protocol.keys() | other.keys()):
        if path in OPTIONAL and not (key in protocol and key in other):
            continue
        name = f"{path}.{key}" if path else key
        one, two = protocol.get(key), other.get(key)
        if isinstance(one, dict) and isinstance(two, dict):
            yield from differences(one, two, name)
        elif one != two:
            yield name, one, two


def by_set(files):
    """Groups records, lists by the path of their file, by the set that they are of.

    Returns lists of pairs of a path and a record. Of several files, sets of one file alone are left
    out; files of one set each are grouped under any name. Raises `EvaluationError` if there is no
    common set, or records of one have different protocols.
    """
    labels = [{one["data"]["label"] for one in records} for records in files.values()]
    single = next(iter(labels[0])) if all(len(records) == 1 for records in files.values()) else None
    groups = {}
    for path, records in files.items():
        for one in records:
            groups.setdefault(single or one["data"]["label"], []).append((path, one))
    if len(files) > 1:
        groups = {k: group for k, group in groups.items() if len({path for path, _ in group}) > 1}
    if not groups:
        listed = "; ".join(
            f"{path} has {', '.join(sorted(found))}"
            for path, found in zip(files, labels, strict=True)
        )
        raise EvaluationError(f"compare needs a set that is in two files. Received: {listed}.")
    for label, ((path, first), *others) in groups.items():
        for other_path, other in others:
            found = differences(first["protocol"], other["protocol"])
            fields = "; ".join(f"{name} is {a!r} there and {b!r} here" for name, a, b in found)
            if fields:
                raise EvaluationError(
                    f"{label}: figures of {path} and {other_path} can't stand side by side, since "
                    f"their protocols differ: {fields}. Evaluate both in the same way."
                )
    return list(groups.values())
