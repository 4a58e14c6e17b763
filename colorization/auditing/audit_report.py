"""How an audit is reported: its findings in numbers, as JSON, and as a page with pictures."""

import html

import numpy as np
import tensorflow as tf

from colorization import pages
from colorization.auditing import inspection
from colorization.auditing.findings import LEAST_CORRELATED, MOST_APART, RADIUS
from colorization.auditing.inspection import AB_RANGE, AB_STEP, CHANNELS, decode_small
from pipelines.sources import hashing

SHARES = tuple(range(0, 101, 10))
COLUMNS = ("mean", "std", *(f"{share}%" for share in SHARES))
# Of each kind of finding, and of one group of copies.
NUM_SHOWN, NUM_MEMBERS = 60, 8
THUMBNAIL_SIZE = 150
NAMES = ("training", "validation")
_NUM_BINS = 48
_STYLE = """\
.pictures { display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-end; }
.groups { display: flex; flex-wrap: wrap; gap: 1.4em 2.4em; align-items: flex-end; }
.group p { margin: 0; } .group .pictures { gap: .4em; }
figure { width: 150px; } figure img { max-width: 150px; }
figure.validation img { outline: 3px solid var(--second); }"""


def quantiles(counts, channel):
    """Deciles of a histogram of `CHANNELS`: middles of the bins that they fall in.

    They are the lowest value, nine deciles and the highest value; to within half a bin, and exact
    for whole levels.
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
    """Mean, standard deviation, lowest, nine deciles and highest of shapes and colors, by name."""
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
            "tint_off": inspection.MOST_OFF,
            "tint_off_share": inspection.MOST_OFF_SHARE,
            "tint_aligned": inspection.LEAST_ALIGNED,
            "tint_tones": inspection.LEAST_TONES,
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


def page(found):
    """Writes the page of an `Audit` as HTML."""
    shown = [_Pictures(part, _rows_shown(found, index)) for index, part in enumerate(found.sets)]
    parts = [
        f'<p><b class="key{index}">■</b> {NAMES[index]}: {html.escape(part.source.name)}</p>\n'
        for index, part in enumerate(found.sets)
    ]
    rows = [
        [html.escape(name), *(f"{value:,}" for value in values)]
        for name, *values in findings(found)
    ]
    table = pages.table(["", *NAMES[: len(found.sets)]], rows, numbers=True)
    parts += ["<h2>Findings</h2>\n", table, "<h2>Distributions</h2>\n"]
    parts += ['<div class="plots">\n', *_shape_plots(found), *_color_plots(found), "</div>\n"]
    for part in found.sets:
        rows = [
            [html.escape(name), *as_texts(values)]
            for name, values in distributions(part.measures).items()
        ]
        parts.append(f"<h3>{html.escape(part.source.name)}</h3>\n")
        parts.append(pages.table(["", *COLUMNS], rows, numbers=True))
    parts += _leaks(found, shown)
    for index, part in enumerate(found.sets):
        parts += _copies(part, index, shown)
    for index, (part, pictures) in enumerate(zip(found.sets, shown, strict=True)):
        name = html.escape(part.source.name)
        parts += _pictures(f"One tint, in {name}", part.tinted, pictures, index)
        parts += _pictures(f"Gray, in {name}", part.gray, pictures, index)
        if part.damaged:
            lines = [
                f"<li>{html.escape(f'{part.source.names[position]}: {reason}')}</li>\n"
                for position, reason in list(part.damaged.items())[:NUM_SHOWN]
            ]
            parts.append(f"<h2>Damaged, in {name}: {len(part.damaged):,}</h2>\n<ul>\n")
            parts += [*lines, "</ul>\n", _more(len(part.damaged))]
    return pages.page("Audit", parts, _STYLE)


class _Pictures:
    """Small pictures of some rows of a set, as elements of the page."""

    def __init__(self, part, rows):
        self._part = part
        row_of = dict(zip(part.measures.positions[rows].tolist(), rows.tolist(), strict=True))
        wanted = tf.constant(np.isin(np.arange(len(part.source.names)), list(row_of)))
        elements = part.source.elements.enumerate()
        elements = elements.filter(lambda position, _: wanted[position])
        pixels = elements.map(
            lambda position, element: (position, decode_small(part.source.read(element))[1])
        )
        # A file that has gone since costs its picture alone.
        pixels = pixels.ignore_errors().as_numpy_iterator()
        self._data = {
            row_of[int(position)]: pages.jpeg(pages.fit(picture, THUMBNAIL_SIZE, THUMBNAIL_SIZE))
            for position, picture in pixels
        }

    def figure(self, row, index):
        """The picture of a row, with its name; `index` is that of its set."""
        height, width = self._part.measures.sizes[row]
        name = html.escape(self._part.names([row])[0])
        image = pages.image(self._data.get(int(row), b""), attributes='loading="lazy"')
        return (
            f'<figure class="{NAMES[index]}">{image}'
            f"<figcaption>{name}<br>{width} × {height}</figcaption></figure>\n"
        )


def _rows_shown(found, index):
    part = found.sets[index]
    rows = [part.tinted[:NUM_SHOWN], part.gray[:NUM_SHOWN]]
    rows += [group[:NUM_MEMBERS] for group in part.copies[:NUM_SHOWN]]
    rows += [pair[index][:NUM_MEMBERS] for pair in found.leaks[:NUM_SHOWN]]
    return np.unique(np.concatenate(rows).astype(np.int64))


def _leaks(found, shown):
    if not found.leaks:
        return []
    groups = [("", list(enumerate(pair))) for pair in found.leaks[:NUM_SHOWN]]
    return [
        f'<h2>Leaks: {len(found.leaks):,}</h2>\n<p class="note">Pictures of both sets that are '
        "copies of each other; those of the validation set are framed.</p>\n",
        *_groups(groups, shown),
        _more(len(found.leaks)),
    ]


def _copies(part, index, shown):
    if not part.copies:
        return []
    groups = [
        (
            f"{len(rows)} pictures, {'identical files' if part.is_exact(rows) else 'look alike'}",
            [(index, rows)],
        )
        for rows in part.copies[:NUM_SHOWN]
    ]
    name = html.escape(part.source.name)
    heading = f"<h2>Copies in {name}: {len(part.copies):,} groups</h2>\n"
    return [heading, *_groups(groups, shown), _more(len(part.copies))]


def _groups(groups, shown):
    yield '<div class="groups">\n'
    for note, members in groups:
        yield f'<div class="group"><p class="note">{note}</p><div class="pictures">\n'
        for index, rows in members:
            yield from (shown[index].figure(row, index) for row in rows[:NUM_MEMBERS])
        yield "</div></div>\n"
    yield "</div>\n"


def _pictures(title, rows, pictures, index):
    if not len(rows):
        return []
    figures = [pictures.figure(row, index) for row in rows[:NUM_SHOWN]]
    heading = f'<h2>{title}: {len(rows):,}</h2>\n<div class="pictures">\n'
    return [heading, *figures, "</div>\n", _more(len(rows))]


def _more(count):
    return f"<p>And {count - NUM_SHOWN:,} more.</p>\n" if count > NUM_SHOWN else ""


def _shape_plots(found):
    measured = [shapes(part.measures) for part in found.sets]
    for name, title in {"short side": "short side, pixels", "width / height": None}.items():
        # By octaves: half and twice are equally far from the middle.
        values = [np.log2(shape[name]) for shape in measured]
        low = min(value.min() for value in values) - 0.05
        high = max(value.max() for value in values) + 0.05
        counts = [np.histogram(value, _NUM_BINS, (low, high))[0] for value in values]
        yield pages.histogram(title or name, counts, low, high, lambda power: f"{2**power:.3g}")


def _color_plots(found):
    for name in ("L*", "chroma", "a*", "b*", "red", "green", "blue"):
        low, high, _ = CHANNELS[name]
        yield pages.histogram(name, [part.measures.counts[name] for part in found.sets], low, high)
    for part, name in zip(found.sets, NAMES, strict=False):
        yield pages.color_map(f"a* and b*, {name}", part.measures.ab_counts, AB_RANGE)
