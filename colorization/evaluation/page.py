"""The page of an evaluation: figures, pictures, colors, hues and the run, in one file.

Law of the file: nothing but the page is needed to look at it, and no script. It holds, small, the
few pictures of `page_pictures`; of the other photos there is nothing but figures.
"""

import html
import json
import os

import numpy as np

from colorization.audit import histograms
from colorization.evaluation import REPORT, page_pictures, page_plots, tables
from colorization.evaluation.metrics import chroma_closeness, hues, intervals
from colorization.evaluation.page_tally import TRUTH, Tally
from pipelines.files import atomic_write
from pipelines.photos.photo_files import write_picture

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Evaluation</title>
<style>
:root { color-scheme: light dark; --back: #fafafa; --text: #222; --faint: #6b6b6b; --line: #bbb;
  --first: #2a6f97; --second: #c33; }
@media (prefers-color-scheme: dark) { :root { --back: #1b1b1b; --text: #ddd; --faint: #a0a0a0;
  --line: #555; --first: #7fb6d6; --second: #f77; } }
body { background: var(--back); color: var(--text); font: 15px/1.45 sans-serif; margin: 2em auto;
  max-width: 1200px; padding: 0 1em; overflow-wrap: anywhere; }
h2 { margin: 2em 0 .4em; font-size: 1.3em; } h3 { margin: 1.6em 0 .4em; font-size: 1.05em; }
p { max-width: 46em; } p.note, figcaption, summary { color: var(--faint); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: .15em .8em; text-align: left; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 0; }
td small { color: var(--faint); }
td.bar { min-width: 9em; }
td.bar i { display: block; height: .55em; background: var(--first); }
.hue { display: inline-block; width: .8em; height: .8em; margin-right: .5em; border-radius: 50%; }
svg { display: block; max-width: 100%; height: auto; }
.plots { display: flex; flex-wrap: wrap; gap: 1em 1.6em; }
svg .title { fill: var(--text); font-size: 13px; }
svg .tick { fill: var(--faint); font-size: 11px; }
svg .axis { stroke: var(--line); fill: none; }
svg .line0, svg .line1 { fill: none; stroke: var(--first); stroke-width: 1.5; }
svg .point0 { fill: var(--first); }
svg .line1 { stroke: var(--second); } svg .point1 { fill: var(--second); }
.key0 { color: var(--first); } .key1 { color: var(--second); }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 520px), 1fr));
  gap: 1.2em; align-items: start; }
figure { margin: 0; }
figure div { display: grid; grid-template-columns: repeat(3, 1fr); gap: 4px; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-size: 12px; line-height: 1.3; margin-top: .3em; }
pre { font-size: 12px; white-space: pre-wrap; }
</style>
</head>
<body>
<h1>Evaluation</h1>
"""
_SWATCHES = dict(zip(hues.HUES, ("#d33", "#dc2", "#3a4", "#36d", "#999"), strict=True))


class Report:
    """The report of an evaluation: a page and a sheet of its pictures, the files `REPORT`.

    Args:
        folder: Path; made when the first set is done.
        run: Directory of the run that the first system is, or None.
    """

    def __init__(self, folder, run=None):
        self._folder, self._run = folder, run
        self._sections, self._sheets, self._tally = [], [], None

    def watching(self, systems):
        """Wraps the systems that a set is measured with, so that their colors are counted."""
        self._tally = Tally()
        return self._tally.watching(systems)

    def add(self, data, found, system, rows, notes):
        """Adds what was found of a set.

        Args:
            data: `data.Data`.
            found: `photo_loop.Found` of the systems that `watching` gave.
            system: The first of the `systems.System`.
            rows: List of records of the set, as of `protocol.record`.
            notes: Warnings.
        """
        shown = page_pictures.show(data, found, system)
        heading = f"{data.label}: {len(found.digests):,} photos"
        self._sheets.append(page_pictures.sheet(f"{heading}, {system.name}", shown))
        parts = [
            f"<h2>{html.escape(heading)}</h2>\n",
            _left_out(found),
            _figures({row["system"]["label"]: row["figures"] for row in rows}),
            *(f'<p class="note">{html.escape(line)}</p>\n' for line in notes),
            _pictures(shown, system.name),
            _hues(found),
            _colors(self._tally.counts, list(found.measured)),
            _protocol(rows),
        ]
        self._sections.append("".join(parts))

    def write(self):
        """Writes the page and the sheet of the sets so far, each whole or not at all.

        Raises:
            OSError: If the folder can't be made or the page not be written.
            PictureError: If the sheet can't be written.
        """
        os.makedirs(self._folder, exist_ok=True)
        page, sheet = (os.path.join(self._folder, name) for name in REPORT)
        write_picture(sheet, np.concatenate(self._sheets), overwrite=True)
        # A name that is no text, which no page can show, must not cost the page.
        with atomic_write(page, "w", encoding="utf-8", errors="xmlcharrefreplace") as file:
            file.write(_HEAD)
            file.writelines(self._sections)
            file.write(_course(self._run) if self._run else "")
            file.write("</body>\n</html>\n")


def _left_out(found):
    counts = [f"{len(lines):,} {reason}" for reason, lines in found.left_out.items() if lines]
    return f'<p class="note">Left out: {", ".join(counts)}.</p>\n' if counts else ""


def _figures(columns):
    header, *rows = tables.rows(columns)
    return _table(header, [[_faint_interval(cell) for cell in row] for row in rows])


def _faint_interval(cell):
    value, bracket, interval = html.escape(cell).partition("[")
    return f"{value}<small>{bracket}{interval}</small>" if bracket else value


def _table(header, rows):
    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    lines = "".join(
        f"<tr>{''.join(cell if cell[:3] == '<td' else f'<td>{cell}</td>' for cell in row)}</tr>\n"
        for row in rows
    )
    return f'<div class="wide"><table>\n<tr>{head}</tr>\n{lines}</table></div>\n'


def _pictures(shown, name):
    parts = [
        "<h3>Best, median and worst</h3>\n"
        f'<p class="note">Gray, colored by {html.escape(name)}, and the photo itself; by '
        "CIEDE2000, which says how far from this one truth, not how good to look at.</p>\n"
        '<div class="pictures">\n'
    ]
    for one in shown:
        images = "".join(
            f'<img alt="{what}" width="{picture.shape[1]}" height="{picture.shape[0]}" '
            f'src="data:image/jpeg;base64,{page_pictures.to_jpeg(picture)}">\n'
            for what, picture in zip(("gray", "colored", "photo"), one.pictures, strict=True)
        )
        text = html.escape(page_pictures.caption(one, one.name))
        parts.append(f"<figure><div>\n{images}</div><figcaption>{text}</figcaption></figure>\n")
    return "".join(parts) + "</div>\n"


def _hues(found):
    """A table of errors by hue, a column and a bar for each system."""
    spreads = {
        name: np.stack([chroma_closeness.spread_colors(one.by_color) for one in measured])
        for name, measured in found.measured.items()
    }
    means = {name: spread.mean(axis=0, dtype=np.float64) for name, spread in spreads.items()}
    errors = {name: hues.errors(mean) for name, mean in means.items()}
    ends = {
        name: intervals.bootstrap_interval(spread, hues.errors) for name, spread in spreads.items()
    }
    shares = hues.shares(next(iter(means.values())))
    top = max((np.nanmax(values) for values in errors.values()), default=0) or 1
    rows = []
    for index, hue in enumerate(hues.HUES):
        swatch = f'<span class="hue" style="background:{_SWATCHES[hue]}"></span>{hue}'
        row = [swatch, f"{100 * shares[index]:.1f} %"]
        for name, values in errors.items():
            row += _bar(values[index], *ends[name][:, index], top)
        rows.append(row)
    header = ["true color", "of the pixels"]
    for name in errors:
        header += [name, ""]
    return (
        '<h3>By hue</h3>\n<p class="note">Mean distance in ab of the pixels whose true color is of '
        "each hue, CIE units.</p>\n" + _table(header, rows)
    )


def _bar(value, low, high, top):
    if np.isnan(value):
        return ["-", ""]
    text, low, high = (f"{number:.1f}" for number in (value, low, high))
    # Where a hue is rare, some draws of the photos have none of it.
    has_ends = low != "nan" and not low == high == text
    interval = f" <small>[{low}, {high}]</small>" if has_ends else ""
    bar = f'<td class="bar"><i style="width:{100 * value / top:.0f}%"></i></td>'
    return [f"{text}{interval}", bar]


def _colors(counts, names):
    plots = [
        histograms.ab_histogram(f"a* and b*, {label}", counts[name])
        for name, label in {TRUTH: "the photos", **{name: name for name in names}}.items()
        if name in counts
    ]
    return f'<h3>Colors</h3>\n<div class="plots">\n{"".join(plots)}</div>\n'


def _course(run):
    history = page_plots.read_history(run)
    if not history:
        return ""
    key = '<span class="key0">■</span> training, <span class="key1">■</span> validation'
    return (
        f"<h2>Course of the run</h2>\n<p>{key}</p>\n"
        f'<div class="plots">\n{page_plots.courses(history)}</div>\n'
    )


def _protocol(rows):
    told = {
        "systems": [row["system"] for row in rows],
        "protocol": rows[0]["protocol"],
        "versions": rows[0]["versions"],
    }
    text = html.escape(json.dumps(told, indent=1))
    return f"<details><summary>Protocol and versions</summary>\n<pre>{text}</pre></details>\n"
