"""The course of a run as SVG: a plot for each column of its history.

Law of the file: functions return SVG elements as text, which take their colors from the page.
"""

import csv
import html
import math
import os

from colorization.evaluation.figures import FIGURES

WIDTH, HEIGHT = 320, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 10, 26, 22
# Where there are more, points are no longer told apart.
_MOST_POINTS = 60


def read_history(model_dir):
    """Reads the history of a run.

    Args:
        model_dir: Its directory.

    Returns:
        Dict of lists of pairs of an epoch and a finite value, by the column's name; empty for a run
        that has none yet.
    """
    path = os.path.join(model_dir, "history.csv")
    if not os.path.exists(path):
        return {}
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in (rows[0] if rows else ()) if name != "epoch"]
    found = {
        name: [
            (int(row["epoch"]), float(row[name]))
            for row in rows
            if row[name] and math.isfinite(float(row[name]))
        ]
        for name in names
    }
    return {name: points for name, points in found.items() if points}


def courses(history):
    """Draws the columns of a history, those of validation beside those of training.

    Args:
        history: Dict as of `read_history`.
    """
    plots = {}
    for name, points in history.items():
        base = name.removeprefix("val_")
        is_of_validation = base != name or name in FIGURES or name.endswith("-kid")
        plots.setdefault(base, [[], []])[is_of_validation] = points
    return "".join(course(name, series) for name, series in plots.items())


def course(title, series):
    """Draws one or two lines over epochs.

    Args:
        title: Of the plot.
        series: List of lists of pairs of an epoch and a value; at least one is not empty.
    """
    points = [point for line in series for point in line]
    (first, last), (low, high) = (
        (min(values), max(values)) for values in zip(*points, strict=True)
    )
    width, height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def place(epoch, value):
        x = _LEFT + width * (epoch - first) / max(1, last - first)
        # A line that never moves lies in the middle.
        share = (value - low) / (high - low) if high > low else 0.5
        return f"{x:.1f},{_TOP + height * (1 - share):.1f}"

    parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}"/>']
    for index, line in enumerate(series):
        places = [place(*point) for point in line]
        parts.append(f'<polyline class="line{index}" points="{" ".join(places)}"/>')
        if len(places) <= _MOST_POINTS:
            for x, y in (one.split(",") for one in places):
                parts.append(f'<circle class="point{index}" cx="{x}" cy="{y}" r="2"/>')
    for y, value in {HEIGHT - _BOTTOM: low, _TOP + 8: high}.items():
        parts.append(_tick(_LEFT - 5, y, "end", f"{value:.4g}"))
    for x, anchor, epoch in ((_LEFT, "start", first), (WIDTH - _RIGHT, "end", last)):
        parts.append(_tick(x, HEIGHT - 6, anchor, f"epoch {epoch}" if anchor == "start" else epoch))
    title = html.escape(title)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{title}"><text class="title" x="12" y="16">{title}</text>'
        f"{''.join(parts)}</svg>\n"
    )


def _tick(x, y, anchor, text):
    return f'<text class="tick" x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'
