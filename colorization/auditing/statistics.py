"""The findings of an audit in numbers: deciles, histograms, and everything as JSON."""

import numpy as np

from colorization.auditing import tinting
from colorization.auditing.findings import LEAST_CORRELATED, MOST_APART, RADIUS
from colorization.auditing.inspection import AB_RANGE, AB_STEP, CHANNELS
from pipelines.sources import hashing

SHARES = tuple(range(0, 101, 10))
COLUMNS = ("mean", "std", *(f"{share}%" for share in SHARES))


def quantiles(counts, channel):
    """Deciles of a histogram of `CHANNELS`: middles of the bins that they fall in.

    Returns:
        Float array of the lowest value, nine deciles and the highest value; to within half a bin,
        and exact for whole levels.
    """
    sums = np.cumsum(counts)
    ranks = np.maximum(np.ceil(np.array(SHARES) / 100 * sums[-1]), 1)
    return _middles(channel)[np.searchsorted(sums, ranks)]


def moments(counts, channel):
    """Mean and standard deviation of a histogram of `CHANNELS`, to within half a bin."""
    values = _middles(channel)
    mean = np.average(values, weights=counts)
    return float(mean), float(np.sqrt(np.average(np.square(values - mean), weights=counts)))


def _middles(channel):
    low, high, step = CHANNELS[channel]
    values = np.arange(low, high, step, dtype=np.float64)
    return values if step == 1 else values + step / 2


def shapes(measures):
    """Sizes of pictures: dict of arrays with one value for each picture."""
    height, width = measures.sizes.T.astype(np.float64)
    return {
        "width": width,
        "height": height,
        "short side": np.minimum(width, height),
        "width / height": width / height,
        "bytes / pixel": measures.num_bytes / (width * height),
    }


def distributions(measures):
    """Mean, spread, deciles of shapes and colors.

    Returns:
        Dict of a name and a list: mean, standard deviation, lowest, nine deciles, highest.
    """
    rows = {
        name: [values.mean(), values.std(), *np.percentile(values, SHARES)]
        for name, values in shapes(measures).items()
    }
    for name, counts in measures.counts.items():
        rows[name] = [*moments(counts, name), *quantiles(counts, name)]
    return {name: [float(value) for value in row] for name, row in rows.items()}


def findings(found):
    """List of a finding's name and its count in each set."""
    rows = [
        ("pictures", lambda part: len(part.source.names)),
        ("damaged", lambda part: len(part.damaged)),
        ("gray", lambda part: len(part.gray)),
        ("in one tint", lambda part: len(part.tinted)),
        ("exact copies, groups", lambda part: _num_groups(part, exact=True)),
        ("near copies, groups", lambda part: _num_groups(part, exact=False)),
        ("copies to spare", lambda part: sum(len(rows) - 1 for rows in part.copies)),
    ]
    counts = [(name, *map(count, found.sets)) for name, count in rows]
    if len(found.sets) > 1:
        sides = zip(*found.leaks, strict=True) if found.leaks else ([], [])
        counts.append(("leaking into the other", *(sum(map(len, side)) for side in sides)))
    return counts


def _num_groups(part, exact):
    return sum(part.is_exact(rows) == exact for rows in part.copies)


def as_texts(values):
    """A row of numbers as texts for a table, all with as many decimals as the largest needs."""
    largest = max(map(abs, values))
    decimals = sum(largest < limit for limit in (1, 10, 1000))
    return [f"{value:.{decimals}f}" for value in values]


def as_json(found):
    """All findings of an audit, as an object for JSON."""
    first, *others = found.sets
    return {
        "thresholds": {
            "hash_bits_apart": RADIUS,
            "hash_bits": hashing.NUM_BITS,
            "thumbnail_levels_apart": MOST_APART,
            "thumbnail_correlation": LEAST_CORRELATED,
            "tint_off": tinting.MOST_OFF,
            "tint_off_share": tinting.MOST_OFF_SHARE,
            "tint_aligned": tinting.LEAST_ALIGNED,
            "tint_tones": tinting.LEAST_TONES,
        },
        "data": _set_as_json(first),
        "val_data": _set_as_json(others[0]) if others else None,
        "leaks": [
            {"data": first.names(rows), "val_data": others[0].names(seen)}
            for rows, seen in found.leaks
        ],
        "exclude": [{"name": name, "reason": reason} for name, reason in found.exclusions()],
    }


def _set_as_json(found):
    tints = found.measures.tints
    return {
        "source": found.source.name,
        "listing": found.source.listing,
        "excluded": found.source.excluded,
        "num_pictures": len(found.source.names),
        "damaged": {found.source.names[i]: reason for i, reason in found.damaged.items()},
        "gray": found.names(found.gray),
        "tinted": [
            {"name": name, "hue": float(tints.hue[row]), "chroma": float(tints.chroma[row])}
            for name, row in zip(found.names(found.tinted), found.tinted, strict=True)
        ],
        "exact_copies": [found.names(rows) for rows in found.copies if found.is_exact(rows)],
        "near_copies": [found.names(rows) for rows in found.copies if not found.is_exact(rows)],
        "columns": list(COLUMNS),
        "distributions": distributions(found.measures),
        "histograms": {
            name: {"low": low, "high": high, "step": step, "counts": counts.tolist()}
            for (name, (low, high, step)), counts in zip(
                CHANNELS.items(), found.measures.counts.values(), strict=True
            )
        },
        "ab_histogram": {
            "low": -AB_RANGE,
            "high": AB_RANGE,
            "step": AB_STEP,
            "counts": found.measures.ab_counts.tolist(),
        },
    }
