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
_NUM_BINS = 48
_STYLE = """\
.pictures { display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-end; }
.groups { display: flex; flex-wrap: wrap; gap: 1.4em 2.4em; align-items: flex-end; }
.group p { margin: 0; } .group .pictures { gap: .4em; }
figure { width: 150px; } figure img { max-width: 150px; }
figure.validation img { outline: 3px solid var(--second); }"""


def describe(counts, channel):
    """Mean, standard deviation, lowest, nine deciles and highest of a histogram of `CHANNELS`.

    To within half a bin, and exact for whole levels.
    """
    low, high, step = CHANNELS[channel]
    middles = np.arange(low, high, step, dtype=np.float64) + (0 if step == 1 else step / 2)
    mean = np.average(middles, weights=counts)
    deviation = np.sqrt(np.average(np.square(middles - mean), weights=counts))
    sums = np.cumsum(counts)
    ranks = np.maximum(np.ceil(np.array(SHARES) / 100 * sums[-1]), 1)
    return [mean, deviation, *middles[np.searchsorted(sums, ranks)]]


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
    rows |= {name: describe(counts, name) for name, counts in measures.counts.items()}
    return {name: [float(value) for value in row] for name, row in rows.items()}


def findings(found):
    """List of a finding's name and its count in each set."""
    rows = [
        ("pictures", lambda part: len(part.source.names)),
        ("damaged", lambda part: len(part.damaged)),
        ("gray", lambda part: len(part.gray)),
        ("in one tint", lambda part: len(part.tinted)),
        ("exact copies, groups", lambda part: len(part.copies_by_kind[0])),
        ("near copies, groups", lambda part: len(part.copies_by_kind[1])),
        ("copies to spare", lambda part: sum(len(rows) - 1 for rows in part.copies)),
    ]
    counts = [(name, *map(count, found.sets)) for name, count in rows]
    if len(found.sets) > 1:
        leaking = (sum(len(pair[index]) for pair in found.leaks) for index in (0, 1))
        counts.append(("leaking into the other", *leaking))
    return counts


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
    measures, tints = found.measures, found.measures.tints
    exact, near = found.copies_by_kind
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
        "exact_copies": [found.names(rows) for rows in exact],
        "near_copies": [found.names(rows) for rows in near],
        "columns": list(COLUMNS),
        "distributions": distributions(measures),
        "histograms": {
            name: _histogram(*CHANNELS[name], counts) for name, counts in measures.counts.items()
        },
        "ab_histogram": _histogram(-AB_RANGE, AB_RANGE, AB_STEP, measures.ab_counts),
    }


def _histogram(low, high, step, counts):
    return {"low": low, "high": high, "step": step, "counts": counts.tolist()}


def page(found):
    """Writes the page of an `Audit` as HTML."""
    names = [html.escape(part.source.name) for part in found.sets]
    parts = [
        f'<p><b class="key{index}">■</b> {part.role}: {name}</p>\n'
        for index, (name, part) in enumerate(zip(names, found.sets, strict=True))
    ]
    rows = [[name, *(f"{value:,}" for value in values)] for name, *values in findings(found)]
    table = pages.table(["", *(part.role for part in found.sets)], rows, numbers=True)
    parts += ["<h2>Findings</h2>\n", table, "<h2>Distributions</h2>\n"]
    parts += ['<div class="plots">\n', *_shape_plots(found), *_color_plots(found), "</div>\n"]
    for name, part in zip(names, found.sets, strict=True):
        rows = [[row, *as_texts(x)] for row, x in distributions(part.measures).items()]
        parts += [f"<h3>{name}</h3>\n", pages.table(["", *COLUMNS], rows, numbers=True)]
    parts += _pictures(found, names)
    return pages.page("Audit", parts, _STYLE)


def _pictures(found, names):
    """Yields the sections with pictures, and the damaged files."""
    shown = [_thumbnails(part, _rows_shown(found, i)) for i, part in enumerate(found.sets)]
    note = (
        '<p class="note">Pictures of both sets that are copies of each other; those of the '
        "validation set are framed.</p>\n"
    )
    groups = [("", list(zip(found.sets, pair, shown, strict=True))) for pair in found.leaks]
    yield _section("Leaks", found.leaks, "", note + _groups(groups))
    for name, part, images in zip(names, found.sets, shown, strict=True):
        groups = []
        for rows in part.copies:
            kind = "identical files" if part.is_exact(rows) else "look alike"
            groups.append((f"{len(rows)} pictures, {kind}", [(part, rows, images)]))
        yield _section(f"Copies in {name}", part.copies, " groups", _groups(groups))
    for name, part, images in zip(names, found.sets, shown, strict=True):
        for kind, rows in (("One tint", part.tinted), ("Gray", part.gray)):
            pictures = f'<div class="pictures">\n{_figures(part, rows[:NUM_SHOWN], images)}</div>\n'
            yield _section(f"{kind}, in {name}", rows, "", pictures)
        lines = [
            f"<li>{html.escape(f'{part.source.names[position]}: {reason}')}</li>\n"
            for position, reason in list(part.damaged.items())[:NUM_SHOWN]
        ]
        damaged = f"<ul>\n{''.join(lines)}</ul>\n"
        yield _section(f"Damaged, in {name}", part.damaged, "", damaged)


def _section(title, found, unit, text):
    """A heading, what was found of it, and how many more there are; nothing for none."""
    if not len(found):
        return ""
    more = len(found) - NUM_SHOWN
    note = f"<p>And {more:,} more.</p>\n" if more > 0 else ""
    return f"<h2>{title}: {len(found):,}{unit}</h2>\n{text}{note}"


def _groups(groups):
    """Groups of pictures, each a note and a list of a set, its rows and their thumbnails."""
    parts = []
    for note, members in groups[:NUM_SHOWN]:
        figures = "".join(_figures(part, rows[:NUM_MEMBERS], x) for part, rows, x in members)
        parts.append(
            f'<div class="group"><p class="note">{note}</p><div class="pictures">\n'
            f"{figures}</div></div>\n"
        )
    return f'<div class="groups">\n{"".join(parts)}</div>\n'


def _figures(part, rows, images):
    """The pictures of some rows of a set, with their names."""
    figures = []
    for row, name in zip(rows.tolist(), part.names(rows), strict=True):
        height, width = part.measures.sizes[row]
        image = pages.image(images.get(row, b""), attributes='loading="lazy"')
        figures.append(
            f'<figure class="{part.role}">{image}'
            f"<figcaption>{html.escape(name)}<br>{width} × {height}</figcaption></figure>\n"
        )
    return "".join(figures)


def _rows_shown(found, index):
    part = found.sets[index]
    rows = [part.tinted[:NUM_SHOWN], part.gray[:NUM_SHOWN]]
    rows += [group[:NUM_MEMBERS] for group in part.copies[:NUM_SHOWN]]
    rows += [pair[index][:NUM_MEMBERS] for pair in found.leaks[:NUM_SHOWN]]
    return np.unique(np.concatenate(rows).astype(np.int64))


def _thumbnails(part, rows):
    """JPEG bytes of small pictures of some rows of a set, by row."""
    row_of = dict(zip(part.measures.positions[rows].tolist(), rows.tolist(), strict=True))
    wanted = tf.constant(np.isin(np.arange(len(part.source.names)), list(row_of)))
    elements = part.source.elements.enumerate().filter(lambda position, _: wanted[position])
    pixels = elements.map(
        lambda position, element: (position, decode_small(part.source.read(element))[1])
    )
    # A file that has gone since costs its picture alone.
    return {
        row_of[int(position)]: pages.jpeg(pages.fit(picture, THUMBNAIL_SIZE, THUMBNAIL_SIZE))
        for position, picture in pixels.ignore_errors().as_numpy_iterator()
    }


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
    for part in found.sets:
        yield pages.color_map(f"a* and b*, {part.role}", part.measures.ab_counts, AB_RANGE)
