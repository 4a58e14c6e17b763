"""Report pages: head, tables, plots and small pictures; and sheets of pictures to choose from.

A page is one HTML file that needs no other file and no script. Its parts are strings of HTML.
"""

import base64
import html
import math

import cv2
import numpy as np

from pipelines.files import atomic_write

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --back: #fafafa; --text: #222; --faint: #6b6b6b; --line: #bbb;
  --first: #2a6f97; --second: #c33; }}
@media (prefers-color-scheme: dark) {{ :root {{ --back: #1b1b1b; --text: #ddd; --faint: #a0a0a0;
  --line: #555; --first: #7fb6d6; --second: #f77; }} }}
body {{ background: var(--back); color: var(--text); font: 15px/1.45 sans-serif; margin: 2em auto;
  max-width: 1200px; padding: 0 1em; overflow-wrap: anywhere; }}
h2 {{ margin: 2em 0 .4em; font-size: 1.3em; }} h3 {{ margin: 1.5em 0 .4em; font-size: 1.05em; }}
p {{ max-width: 46em; }} p.note, figcaption, summary {{ color: var(--faint); }}
.wide {{ overflow-x: auto; }} pre {{ font-size: 12px; white-space: pre-wrap; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }}
th, td {{ padding: .15em .8em; text-align: left; border-bottom: 1px solid var(--line); }}
th:first-child, td:first-child {{ padding-left: 0; }} td small {{ color: var(--faint); }}
.numbers th:not(:first-child), .numbers td:not(:first-child) {{ text-align: right; }}
svg {{ display: block; max-width: 100%; height: auto; }}
.plots {{ display: flex; flex-wrap: wrap; gap: 1em 1.6em; }}
svg .title {{ fill: var(--text); font-size: 13px; }}
svg .tick {{ fill: var(--faint); font-size: 11px; }}
svg .axis {{ stroke: var(--line); fill: none; }}
svg .line0, svg .line1 {{ fill: none; stroke: var(--first); stroke-width: 1.5; }}
svg .line1 {{ stroke: var(--second); }} svg .area0, svg .point0 {{ fill: var(--first); }}
svg .area0 {{ fill-opacity: .5; }} svg .point1 {{ fill: var(--second); }}
.key0 {{ color: var(--first); }} .key1 {{ color: var(--second); }}
figure {{ margin: 0; }} figure img {{ display: block; }}
figcaption {{ font-size: 12px; line-height: 1.3; margin-top: .3em; }}
{style}
</style>
</head>
<body>
<h1>{title}</h1>
"""
# Of a plot, in pixels.
WIDTH, HEIGHT = 320, 170
_RIGHT, _TOP, _BOTTOM = 12, 26, 22
# A line with more points than this shows none.
_MOST_POINTS = 60
# Of a picture on it, and between pictures, in pixels.
SHEET_SIDE, SHEET_GAP = 320, 4
EMPTY = 119


def page(title, parts, style=""):
    """Puts a page of HTML together of a plain title, parts of HTML, and CSS of its own."""
    head = _HEAD.format(title=html.escape(title), style=style)
    return f"{head}{''.join(parts)}</body>\n</html>\n"


def write(path, page):
    """Writes a page, atomically. A name that is not text is shown as far as it can be."""
    with atomic_write(path, "w", encoding="utf-8", errors="xmlcharrefreplace") as file:
        file.write(page)


def table(header, rows, numbers=False):
    """Lays out a table that scrolls sideways where the page is narrow, as HTML.

    The header is plain text, the rows HTML; a cell that starts with `<td` is taken whole. `numbers`
    aligns all columns but the first to the right.
    """
    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    lines = "".join(
        f"<tr>{''.join(cell if cell[:3] == '<td' else f'<td>{cell}</td>' for cell in row)}</tr>\n"
        for row in rows
    )
    kind = ' class="numbers"' if numbers else ""
    return f'<div class="wide"><table{kind}>\n<tr>{head}</tr>\n{lines}</table></div>\n'


def markdown(rows, numbers=False):
    """Writes rows of texts, the header first, as an aligned Markdown table.

    `numbers` aligns all columns but the first to the right.
    """
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    rule = ["-" * width for width in widths]
    if numbers:
        rule[1:] = [line[1:] + ":" for line in rule[1:]]

    def line(cells):
        first, *rest = zip(cells, widths, strict=True)
        pad = str.rjust if numbers else str.ljust
        return f"| {' | '.join([first[0].ljust(first[1]), *(pad(*cell) for cell in rest)])} |"

    return "\n".join(map(line, [rows[0], rule, *rows[1:]]))


def fit(rgb, width, height):
    """Shrinks a picture into a box of so many pixels; one that fits stays as it is."""
    scale = min(1, width / rgb.shape[1], height / rgb.shape[0])
    size = max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def jpeg(rgb, quality=85):
    """Encodes a uint8 RGB picture as JPEG bytes."""
    return cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def image(data, alt="", attributes=""):
    """Embeds JPEG bytes in a page; `alt` is plain text, `attributes` are HTML."""
    encoded = base64.b64encode(data).decode()
    return f'<img alt="{html.escape(alt)}" {attributes} src="data:image/jpeg;base64,{encoded}">'


def histogram(title, series, low, high, as_text="{:.4g}".format):
    """Draws histograms of one quantity over each other, each scaled to its own sum, as SVG.

    `series` are arrays of counts, all of one length, from `low`, the left end of the first bin, to
    `high`; the first is filled. `as_text` writes a number of the axis.
    """
    shares = [np.asarray(counts, np.float64) / max(1, np.sum(counts)) for counts in series]
    top = max(share.max() for share in shares) or 1
    left, width, height = _RIGHT, WIDTH - 2 * _RIGHT, HEIGHT - _TOP - _BOTTOM
    parts = []
    for index, share in enumerate(shares):
        xs = left + width * np.repeat(np.arange(len(share) + 1), 2) / len(share)
        ys = _TOP + height * (1 - np.concatenate([[0], np.repeat(share, 2), [0]]) / top)
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
        kind = "line1" if index else "area0"
        parts.append(f'<polyline class="{kind}" points="{points}"/>')
    for share in (0, 0.25, 0.5, 0.75, 1):
        anchor = {0: "start", 1: "end"}.get(share, "middle")
        text = as_text(low + (high - low) * share)
        parts.append(_tick(left + width * share, HEIGHT - 6, text, anchor))
    parts.append(f'<path class="axis" d="M{left} {HEIGHT - _BOTTOM + 0.5}H{WIDTH - _RIGHT}"/>')
    return _svg(title, WIDTH, HEIGHT, parts)


def curves(title, series):
    """Draws one or two lines over epochs, lists of pairs of an epoch and a value, as SVG."""
    (first, last), (low, high) = (
        (min(values), max(values)) for values in zip(*sum(series, []), strict=True)
    )
    left, base = 64, HEIGHT - _BOTTOM

    def place(epoch, value):
        x = left + (WIDTH - left - _RIGHT) * (epoch - first) / max(1, last - first)
        # A constant line lies in the middle.
        share = (value - low) / (high - low) if high > low else 0.5
        return f"{x:.1f}", f"{base - (base - _TOP) * share:.1f}"

    parts = [f'<path class="axis" d="M{left} {_TOP}V{base}H{WIDTH - _RIGHT}"/>']
    for index, line in enumerate(series):
        places = [place(*point) for point in line]
        points = " ".join(map(",".join, places))
        parts.append(f'<polyline class="line{index}" points="{points}"/>')
        if len(places) <= _MOST_POINTS:
            parts += [f'<circle class="point{index}" cx="{x}" cy="{y}" r="2"/>' for x, y in places]
    parts += [_tick(left - 5, base, f"{low:.4g}", "end")]
    parts += [_tick(left - 5, _TOP + 8, f"{high:.4g}", "end")]
    parts += [_tick(left, HEIGHT - 6, f"epoch {first}"), _tick(WIDTH - 12, HEIGHT - 6, last, "end")]
    return _svg(title, WIDTH, HEIGHT, parts)


def color_map(title, counts, reach):
    """Draws how often colors occur: each in its own color at L* = 65, the fainter the rarer.

    `counts` is of shape `(cells, cells)`, a* by b*, both from `-reach` to `reach`, in CIE units.
    The result is SVG.
    """
    from pipelines.color.spaces import lab_to_rgb

    size, margin = 264, 26
    middles = ((np.arange(len(counts)) + 0.5) * (2 / len(counts)) - 1) * reach
    a, b = np.meshgrid(middles, middles, indexing="ij")
    lab = np.stack([np.full_like(a, 65), a, b], axis=-1).astype(np.float32)
    rgb, logs = np.clip(lab_to_rgb(lab).numpy(), 0, 1), np.log1p(counts)
    picture = np.concatenate([rgb[..., ::-1], (logs / max(1, logs.max()))[..., None]], axis=-1)
    # b* points up, a* to the right.
    picture = np.round(255 * picture).astype(np.uint8).transpose(1, 0, 2)[::-1]
    data = base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode()
    middle, end = margin + size / 2, margin + size
    parts = [
        f'<image x="{margin}" y="{margin}" width="{size}" height="{size}" '
        f'href="data:image/png;base64,{data}" style="image-rendering:pixelated"/>',
        f'<path class="axis" d="M{margin} {middle}H{end}M{middle} {margin}V{end}"/>',
        f'<rect class="axis" x="{margin}" y="{margin}" width="{size}" height="{size}"/>',
        *(_tick(end - 22, middle - 6, "+a*"), _tick(margin + 4, middle - 6, "−a*")),
        *(_tick(middle + 5, margin + 14, "+b*"), _tick(middle + 5, end - 6, "−b*")),
    ]
    return _svg(title, size + 2 * margin, size + 2 * margin, parts)


def _tick(x, y, text, anchor="start"):
    text = html.escape(str(text))
    return f'<text class="tick" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{text}</text>'


def _svg(title, width, height, parts):
    title = html.escape(title)
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{title}"><text class="title" x="12" y="16">{title}</text>'
        f"{''.join(parts)}</svg>\n"
    )


def shrink(rgb):
    """Makes a uint8 or uint16 picture small enough for a sheet: uint8, sides up to `SHEET_SIDE`."""
    small = fit(rgb, SHEET_SIDE, SHEET_SIDE)
    return small if small.dtype == np.uint8 else np.round(small / 257).astype(np.uint8)


def sheet(pictures):
    """Sets uint8 pictures of one shape in rows, of as many as there are rows, or one more.

    So 25 make five by five. Cells behind the last picture are left empty.
    """
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    height, width = pictures[0].shape[:2]
    shape = rows * (height + SHEET_GAP) - SHEET_GAP, columns * (width + SHEET_GAP) - SHEET_GAP, 3
    page = np.full(shape, EMPTY, np.uint8)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        top, left = row * (height + SHEET_GAP), column * (width + SHEET_GAP)
        page[top : top + height, left : left + width] = picture
    return page
