"""Files of one JSON line for each system on each set: its figures, and all that they depend on."""

import json
import math

from colorization.evaluation import EvaluationError

FORMAT = "colorization-evaluation"
VERSION = 1
# Sections of a protocol of which records may hold unlike parts: each part goes with figures of
# its own.
OPTIONAL = ("figures", "networks", "variants")


def to_lines(records):
    """Text of a file of records."""
    lines = []
    for record in records:
        figures = {
            name: {key: _plain(number) for key, number in value.items()}
            for name, value in record["figures"].items()
        }
        lines.append(json.dumps(record | {"figures": figures}, allow_nan=False) + "\n")
    return "".join(lines)


def read(path):
    """Reads a file of records.

    Args:
        path: Of what `evaluate --output` wrote.

    Returns:
        List of dicts, as of `record`.

    Raises:
        EvaluationError: If the file is none of these, or of another version.
    """
    try:
        with open(path, encoding="utf-8") as file:
            records = [_parse(line) for line in file if line.strip()]
    except OSError as error:
        raise EvaluationError(f"{path}: can't be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        records = []
    if not records:
        raise EvaluationError(
            f"{path}: expected lines that colorization.evaluate --output wrote, of version "
            f"{VERSION}. Received another file."
        )
    return records


def differences(protocol, other, path=""):
    """Where two protocols differ.

    Args:
        protocol: Dict as of `protocol`.
        other: Another.
        path: What the fields' names begin with.

    Yields:
        The field's name, as `data.photos`, and both its values.
    """
    for key in sorted(protocol.keys() | other.keys()):
        if path in OPTIONAL and not (key in protocol and key in other):
            continue
        name = f"{path}.{key}" if path else key
        one, two = protocol.get(key), other.get(key)
        if isinstance(one, dict) and isinstance(two, dict):
            yield from differences(one, two, name)
        elif one != two:
            yield name, one, two


def _parse(line):
    record = json.loads(line)
    if (record["format"], record["version"]) != (FORMAT, VERSION):
        raise ValueError("another format")
    for values in record["figures"].values():
        for key in ("value", "low", "high"):
            values[key] = None if values[key] is None else float(values[key])
    # What a table needs.
    _ = record["system"]["label"], record["data"]["label"], record["protocol"]["data"]
    return record


def _plain(number):
    # JSON has no infinity; Python's float takes the word.
    return number if number is None or math.isfinite(number) else str(number)
