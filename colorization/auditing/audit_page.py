"""The page of an audit: figures, plots, and the pictures that it found, in one file."""

import html

import numpy as np
import tensorflow as tf

from colorization import pages
from colorization.auditing import statistics
from colorization.auditing.inspection import AB_RANGE, CHANNELS, decode_small

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


def page(found):
    """Writes the page of an `Audit` as HTML."""
    shown = [_Pictures(part, _rows_shown(found, index)) for index, part in enumerate(found.sets)]
    parts = [
        f'<p><b class="key{index}">■</b> {NAMES[index]}: {html.escape(part.source.name)}</p>\n'
        for index, part in enumerate(found.sets)
    ]
    rows = [
        [html.escape(name), *(f"{value:,}" for value in values)]
        for name, *values in statistics.findings(found)
    ]
    table = pages.table(["", *NAMES[: len(found.sets)]], rows, numbers=True)
    parts += ["<h2>Findings</h2>\n", table, "<h2>Distributions</h2>\n"]
    parts += ['<div class="plots">\n', *_shape_plots(found), *_color_plots(found), "</div>\n"]
    for part in found.sets:
        rows = [
            [html.escape(name), *statistics.as_texts(values)]
            for name, values in statistics.distributions(part.measures).items()
        ]
        parts.append(f"<h3>{html.escape(part.source.name)}</h3>\n")
        parts.append(pages.table(["", *statistics.COLUMNS], rows, numbers=True))
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
    shapes = [statistics.shapes(part.measures) for part in found.sets]
    for name, title in {"short side": "short side, pixels", "width / height": None}.items():
        # By octaves: half and twice are equally far from the middle.
        values = [np.log2(shape[name]) for shape in shapes]
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
