"""The report of an evaluation: a page of figures, pictures, colors and hues, and a sheet.

Shown are the best, the median and the worst by CIEDE2000 of the first system. They are chosen when
all photos are measured, and colored again.
"""

import collections
import csv
import dataclasses
import html
import json
import math
import os
import threading

import cv2
import numpy as np

from colorization import pages
from colorization.auditing import inspection
from colorization.evaluation import REPORT, figures, measure
from colorization.evaluation.metrics import colors, distances
from pipelines.color.gray import to_gray
from pipelines.color.spaces import rgb_to_lab
from pipelines.photos.photo_files import write_picture

# Colors are counted at so many pixels squared, evenly spread, so that all pictures count alike.
SIDE = 64
# No system is called that.
TRUTH = ""
_STYLE = """\
td.bar { min-width: 9em; } td.bar i { display: block; height: .55em; background: var(--first); }
.hue { display: inline-block; width: .8em; height: .8em; margin-right: .5em; border-radius: 50%; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 520px), 1fr));
  gap: 1.2em; align-items: start; }
figure div { display: grid; grid-template-columns: repeat(3, 1fr); gap: 4px; }
figure img { width: 100%; height: auto; }"""
_SWATCHES = dict(zip(colors.HUES, ("#d33", "#dc2", "#3a4", "#36d", "#999"), strict=True))
FIGURE = "ciede2000"
NUM_SHOWN = 4
# Largest width and height on the page, in pixels.
SIZE = (480, 300)
# Of the sheet, in pixels: a picture, the space around it, and a line of text.
_CELL, _GAP, _LINE = (312, 150), 8, 22
_BLOCK = _CELL[1] + _LINE + _GAP, 3 * (_CELL[0] + _GAP)


class Report:
    """The report of an evaluation: a page and a sheet of its pictures, the files `REPORT`.

    Args:
        folder: Path; made when the first set is done.
        run: Directory of the run that the first system is, or None.
    """

    def __init__(self, folder, run=None):
        self._folder, self._run = folder, run
        self._sections, self._sheets, self._lock = [], [], threading.Lock()
        # Colors of the set in progress, as of `inspection.count_ab`, by the name of the system.
        self.counts = {}

    def watching(self, systems):
        """Wraps the systems that a set is measured with, so that models' colors are counted."""
        self.counts = collections.defaultdict(int)

        def watch(system):
            def color(shown, photo):
                pictures = system.color(shown, photo)
                self._count(system.name, pictures[0])
                if system is systems[0]:
                    self._count(TRUTH, photo)
                return pictures

            is_model = system.description["kind"] == "model"
            return dataclasses.replace(system, color=color) if is_model else system

        return [watch(system) for system in systems]

    def _count(self, name, rgb):
        rows, columns = ((2 * np.arange(SIDE) + 1) * side // (2 * SIDE) for side in rgb.shape[:2])
        found = inspection.count_ab(rgb_to_lab(rgb[np.ix_(rows, columns)]).numpy())
        with self._lock:
            self.counts[name] += found

    def add(self, data, found, system, rows):
        """Adds what was found of a set and its records; `system`, the first, is shown."""
        shown = show(data, found, system)
        heading = f"{data.label}: {len(found.digests):,} photos"
        self._sheets.append(sheet(f"{heading}, {system.name}", shown))
        counts = [f"{len(lines):,} {reason}" for reason, lines in found.left_out.items() if lines]
        notes = [f"Left out: {', '.join(counts)}."] if counts else []
        maps = [
            pages.color_map(f"a* and b*, {name or 'the photos'}", count, inspection.AB_RANGE)
            for name, count in sorted(self.counts.items(), key=lambda pair: pair[0] != TRUTH)
        ]
        facts = {"systems": [row["system"] for row in rows]}
        facts |= {name: rows[0][name] for name in ("protocol", "versions")}
        self._sections += [
            f"<h2>{html.escape(heading)}</h2>\n",
            _figures({row["system"]["label"]: row["figures"] for row in rows}),
            *(f'<p class="note">{html.escape(x)}</p>\n' for x in notes + rows[0]["warnings"]),
            _pictures(shown, system.name),
            _hues(found),
            f'<h3>Colors</h3>\n<div class="plots">\n{"".join(maps)}</div>\n',
            "<details><summary>Protocol and versions</summary>\n"
            f"<pre>{html.escape(json.dumps(facts, indent=1))}</pre></details>\n",
        ]

    def write(self):
        """Writes the page and the sheet of the sets so far, each atomically."""
        os.makedirs(self._folder, exist_ok=True)
        page, sheet = (os.path.join(self._folder, name) for name in REPORT)
        write_picture(sheet, np.concatenate(self._sheets), overwrite=True)
        parts = [*self._sections, _history(self._run) if self._run else ""]
        pages.write(page, pages.page("Evaluation", parts, _STYLE))


def _figures(columns):
    def faint_interval(cell):
        value, bracket, interval = html.escape(cell).partition("[")
        return f"{value}<small>{bracket}{interval}</small>" if bracket else value

    (name, *others), *rows = figures.rows(columns)
    cells = [
        [label, figures.find(label.partition(" ")[0]).unit, *map(faint_interval, values)]
        for label, *values in rows
    ]
    return pages.table([name, "unit", *others], cells)


def _pictures(shown, name):
    parts = [
        "<h3>Best, median and worst</h3>\n"
        f'<p class="note">Gray, colored by {html.escape(name)}, and the photo itself; by '
        "CIEDE2000: the distance from this one truth, no measure of how good it looks.</p>\n"
        '<div class="pictures">\n'
    ]
    for one in shown:
        images = "".join(
            pages.image(
                pages.jpeg(picture), what, 'width="{1}" height="{0}"'.format(*picture.shape)
            )
            for what, picture in zip(("gray", "colored", "photo"), one.pictures, strict=True)
        )
        text = html.escape(one.caption + one.name)
        parts.append(f"<figure><div>{images}</div><figcaption>{text}</figcaption></figure>\n")
    return "".join(parts) + "</div>\n"


def _hues(found):
    """A table of errors by hue, a column and a bar for each system."""
    header, columns = ["true color", "of the pixels"], []
    for name, measured in found.measured.items():
        spread = colors.lay_out([one.cells for one in measured])
        mean = spread.mean(axis=0, dtype=np.float64)
        ends = distances.bootstrap_interval(spread, colors.hue_errors)
        columns.append((colors.hue_errors(mean), *ends))
        header += [name, ""]
    top = max(np.nanmax(values) for values, *_ in columns) or 1
    rows = []
    for index, (hue, share) in enumerate(zip(colors.HUES, colors.hue_shares(mean), strict=True)):
        swatch = f'<span class="hue" style="background:{_SWATCHES[hue]}"></span>{hue}'
        row = [swatch, f"{100 * share:.1f} %"]
        for column in columns:
            row += _bar(*(values[index] for values in column), top)
        rows.append(row)
    return (
        '<h3>By hue</h3>\n<p class="note">Mean distance in ab of the pixels whose true color is of '
        "each hue, CIE units.</p>\n" + pages.table(header, rows)
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


def _history(run):
    """A plot for each column of a run's history, validation beside training."""
    series = {}
    for name, points in read_history(run).items():
        base = name.removeprefix("val_")
        is_of_validation = base != name or name in figures.FIGURES or name.endswith("-kid")
        series.setdefault(base, [[], []])[is_of_validation] = points
    if not series:
        return ""
    key = '<span class="key0">■</span> training, <span class="key1">■</span> validation'
    plots = "".join(pages.curves(name, lines) for name, lines in series.items())
    return f'<h2>History of the run</h2>\n<p>{key}</p>\n<div class="plots">\n{plots}</div>\n'


def read_history(model_dir):
    """Reads a run's history, if there is one: lists of an epoch and a finite value, by column."""
    path, found = os.path.join(model_dir, "history.csv"), collections.defaultdict(list)
    if os.path.exists(path):
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                epoch = int(row.pop("epoch"))
                for name, value in row.items():
                    if value and math.isfinite(float(value)):
                        found[name].append((epoch, float(value)))
    return found


@dataclasses.dataclass(frozen=True)
class Shown:
    """A photo as it is shown: its kind and figures; small, in gray, colored, and itself."""

    name: str
    caption: str
    pictures: tuple


def choose(values):
    """Positions of the lowest, the median and the highest values, none of them twice, by kind."""
    order = np.argsort(values, kind="stable").tolist()
    number = min(NUM_SHOWN, len(order) // 3)
    if not number:
        return {"best": order[:1], "median": [], "worst": order[1:]}
    start = (len(order) - number) // 2
    middle = order[start : start + number]
    return {"best": order[:number], "median": middle, "worst": order[-number:]}


def show(data, found, system):
    """Reads and colors the chosen photos again: a list of `Shown`, the best first.

    A photo that changed meanwhile is left out.
    """
    measured = found.measured[system.name]
    chosen = choose([one.values[FIGURE] for one in measured])
    # Of copies under one name any will do, as long as it is the same file.
    kinds = {found.digests[i]: (i, kind) for kind, rows in chosen.items() for i in rows}
    names = {found.names[i] for i, _ in kinds.values()}
    shown = {}
    for name, element in data.jobs():
        if name not in names:
            continue
        try:
            photo, digest = measure.read_photo(data.source, name, element)
        except measure.LeftOutError:
            continue
        if digest in kinds:
            position, kind = kinds[digest]
            gray, values = to_gray(photo), measured[position].values
            pictures = (gray, system.color(gray, photo)[0], photo)
            small = tuple(pages.fit(picture, *SIZE) for picture in pictures)
            caption = f"{kind}: CIEDE2000 {values[FIGURE]:.1f}, PSNR {values['psnr']:.1f}, "
            shown[position] = Shown(name, caption, small)
    return [shown[i] for rows in chosen.values() for i in rows if i in shown]


def sheet(title, shown):
    """Sets photos in rows of two, each as gray, colored and itself, below a title."""
    height, width = _BLOCK
    rows = math.ceil(len(shown) / 2)
    page = np.full((_LINE + rows * height, 2 * width, 3), pages.EMPTY, np.uint8)
    _write(page, title, 0, 0, 0.6)
    for number, one in enumerate(shown):
        top, left = _LINE + number // 2 * height, number % 2 * width
        for index, picture in enumerate(one.pictures):
            small, start = pages.fit(picture, *_CELL), left + index * (_CELL[0] + _GAP)
            page[top : top + len(small), start : start + small.shape[1]] = small
        _write(page, one.caption + one.name.rpartition("/")[2], left, top + _CELL[1], 0.4)
    return page


def _write(page, text, left, top, scale):
    # The font has no other letters.
    plain = text.encode("ascii", "replace").decode()
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(page, plain, (left, top + 15), font, scale, (255, 255, 255), 1, cv2.LINE_AA)
