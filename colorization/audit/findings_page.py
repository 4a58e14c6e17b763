"""The page of an audit: figures, plots and the pictures that it found, in one file.

Law of the file: nothing but the page is needed to look at it; it holds its pictures, small, and of
each kind of finding at most `NUM_SHOWN`.
"""

import base64
import html

import cv2
import numpy as np
import tensorflow as tf

from colorization.audit import histograms, statistics
from colorization.audit.inspection import CHANNELS, decode_small

NUM_SHOWN = 60
# Of one group of copies.
NUM_MEMBERS = 8
THUMBNAIL_SIZE = 150
NAMES = ("training", "validation")
_NUM_BINS = 48

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Audit</title>
<style>
:root { color-scheme: light dark; --back: #fafafa; --text: #222; --faint: #777; --line: #bbb;
  --first: #9ab; --second: #c33; }
@media (prefers-color-scheme: dark) { :root { --back: #1b1b1b; --text: #ddd; --faint: #999;
  --line: #555; --first: #567; --second: #f77; } }
body { background: var(--back); color: var(--text); font: 15px/1.45 sans-serif; margin: 2em auto;
  max-width: 1080px; padding: 0 1em; }
h2 { margin: 2em 0 .4em; font-size: 1.25em; } h3 { margin: 1.4em 0 .3em; font-size: 1em; }
p { max-width: 46em; } p.note, figcaption { color: var(--faint); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .15em .7em; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
svg { display: block; } .plots { display: flex; flex-wrap: wrap; gap: 1em 1.6em; }
svg .title { fill: var(--text); font-size: 13px; }
svg .tick { fill: var(--faint); font-size: 11px; }
svg .axis { stroke: var(--line); fill: none; }
svg .series0 { fill: var(--first); stroke: none; }
svg .series1 { fill: none; stroke: var(--second); stroke-width: 1.5; }
.key0 { color: var(--first); } .key1 { color: var(--second); }
.pictures { display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-end; }
.groups { display: flex; flex-wrap: wrap; gap: 1.4em 2.4em; align-items: flex-end; }
.group p { margin: 0; } .group .pictures { gap: .4em; }
figure { margin: 0; width: 150px; } figure img { display: block; max-width: 150px; }
figcaption { font-size: 11px; line-height: 1.25; overflow-wrap: anywhere; }
figure.val img { outline: 3px solid var(--second); }
</style>
</head>
<body>
"""


def write_page(file, found):
    """Writes the page of an `Audit` into a text file."""
    shown = [_Pictures(part, _rows_shown(found, index)) for index, part in enumerate(found.sets)]
    file.write(_HEAD + "<h1>Audit</h1>\n")
    for index, part in enumerate(found.sets):
        name = html.escape(part.source.name)
        file.write(f'<p><b class="key{index}">■</b> {NAMES[index]}: {name}</p>\n')
    file.write(_findings(found))
    file.write('<h2>Distributions</h2>\n<div class="plots">\n')
    file.write(_shape_plots(found) + _color_plots(found))
    file.write("</div>\n")
    for part in found.sets:
        file.write(_figures(part))
    _write_groups(file, found, shown)
    for index, (part, pictures) in enumerate(zip(found.sets, shown, strict=True)):
        where = f"in {html.escape(part.source.name)}"
        _write_rows(file, f"In one tint, {where}", part.tinted, pictures, index)
        _write_rows(file, f"Gray, {where}", part.gray, pictures, index)
        if part.damaged:
            file.write(f"<h2>Damaged, {where}: {len(part.damaged):,}</h2>\n<ul>\n")
            for position, reason in list(part.damaged.items())[:NUM_SHOWN]:
                name = html.escape(part.source.names[position])
                file.write(f"<li>{name}: {html.escape(reason)}</li>\n")
            file.write("</ul>\n" + _more(len(part.damaged)))
    file.write("</body>\n</html>\n")


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
        # A file that is gone since is no loss but its picture.
        pixels = pixels.ignore_errors().as_numpy_iterator()
        self._data = {row_of[int(position)]: _encode(picture) for position, picture in pixels}

    def figure(self, row, index):
        """The picture of a row, with its name; `index` is that of its set."""
        height, width = self._part.measures.sizes[row]
        name = html.escape(self._part.names([row])[0])
        return (
            f'<figure class="{("data", "val")[index]}"><img alt="" loading="lazy" '
            f'src="data:image/jpeg;base64,{self._data.get(int(row), "")}">'
            f"<figcaption>{name}<br>{width} × {height}</figcaption></figure>\n"
        )


def _encode(pixels):
    height, width = pixels.shape[:2]
    scale = min(1, THUMBNAIL_SIZE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    return base64.b64encode(data.tobytes()).decode()


def _rows_shown(found, index):
    part = found.sets[index]
    rows = [part.tinted[:NUM_SHOWN], part.gray[:NUM_SHOWN]]
    rows += [group[:NUM_MEMBERS] for group in part.copies[:NUM_SHOWN]]
    rows += [pair[index][:NUM_MEMBERS] for pair in found.leaks[:NUM_SHOWN]]
    return np.unique(np.concatenate(rows).astype(np.int64))


def _write_groups(file, found, shown):
    if found.leaks:
        note = (
            "Pictures of both sets that are copies of each other; those of the validation set are "
            "framed."
        )
        file.write(f'<h2>Leaks: {len(found.leaks):,}</h2>\n<p class="note">{note}</p>\n')
        groups = [list(enumerate(pair)) for pair in found.leaks[:NUM_SHOWN]]
        _write_figures(file, [("", members) for members in groups], shown)
        file.write(_more(len(found.leaks)))
    for index, part in enumerate(found.sets):
        if part.copies:
            name = html.escape(part.source.name)
            file.write(f"<h2>Copies in {name}: {len(part.copies):,} groups</h2>\n")
            kinds = ("alike by their look", "alike byte for byte")
            groups = [
                (f"{len(rows)} pictures {kinds[part.is_exact(rows)]}", [(index, rows)])
                for rows in part.copies[:NUM_SHOWN]
            ]
            _write_figures(file, groups, shown)
            file.write(_more(len(part.copies)))


def _write_figures(file, groups, shown):
    file.write('<div class="groups">\n')
    for note, members in groups:
        file.write(f'<div class="group"><p class="note">{note}</p><div class="pictures">\n')
        for index, rows in members:
            file.writelines(shown[index].figure(row, index) for row in rows[:NUM_MEMBERS])
        file.write("</div></div>\n")
    file.write("</div>\n")


def _write_rows(file, title, rows, pictures, index):
    if len(rows):
        file.write(f'<h2>{title}: {len(rows):,}</h2>\n<div class="pictures">\n')
        file.writelines(pictures.figure(row, index) for row in rows[:NUM_SHOWN])
        file.write("</div>\n" + _more(len(rows)))


def _more(count):
    return f"<p>And {count - NUM_SHOWN:,} more.</p>\n" if count > NUM_SHOWN else ""


def _findings(found):
    head = "".join(f"<th>{name}</th>" for name in NAMES[: len(found.sets)])
    lines = [f"<h2>Findings</h2>\n<table>\n<tr><th></th>{head}</tr>\n"]
    for name, *values in statistics.findings(found):
        cells = "".join(f"<td>{value:,}</td>" for value in values)
        lines.append(f"<tr><td>{html.escape(name)}</td>{cells}</tr>\n")
    return "".join(lines) + "</table>\n"


def _figures(part):
    head = "".join(f"<th>{name}</th>" for name in statistics.COLUMNS)
    lines = [
        f"<h3>{html.escape(part.source.name)}</h3>\n"
        f'<div class="wide"><table>\n<tr><th></th>{head}</tr>\n'
    ]
    for name, values in statistics.distributions(part.measures).items():
        cells = "".join(f"<td>{text}</td>" for text in statistics.as_texts(values))
        lines.append(f"<tr><td>{html.escape(name)}</td>{cells}</tr>\n")
    return "".join(lines) + "</table></div>\n"


def _shape_plots(found):
    plots = []
    shapes = [statistics.shapes(part.measures) for part in found.sets]
    for name in ("short side", "width / height"):
        # By octaves: half and twice lie as far from the middle.
        values = [np.log2(shape[name]) for shape in shapes]
        low = min(value.min() for value in values) - 0.05
        high = max(value.max() for value in values) + 0.05
        counts = [np.histogram(value, _NUM_BINS, (low, high))[0] for value in values]
        title = {"short side": "short side, pixels"}.get(name, name)
        plots.append(
            histograms.histogram(title, counts, low, high, lambda power: f"{2**power:.3g}")
        )
    return "".join(plots)


def _color_plots(found):
    plots = []
    for name in ("L*", "chroma", "a*", "b*", "red", "green", "blue"):
        low, high, _ = CHANNELS[name]
        counts = [part.measures.counts[name] for part in found.sets]
        plots.append(histograms.histogram(name, counts, low, high))
    for part, name in zip(found.sets, NAMES, strict=False):
        plots.append(histograms.ab_histogram(f"a* and b*, {name}", part.measures.ab_counts))
    return "".join(plots)
