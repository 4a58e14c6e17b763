"""Plots of an audit as SVG, drawn here: two kinds of plot are no reason for a plotting library.

Law of the file: functions return SVG elements as text, which take their colors from the page.
"""

import base64
import html

import cv2
import numpy as np

from colorization.audit.inspection import AB_RANGE, NUM_AB
from pipelines.color.spaces import lab_to_rgb

WIDTH, HEIGHT = 320, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 12, 12, 26, 22


def histogram(title, series, low, high, as_text="{:.4g}".format):
    """Draws histograms of one quantity over each other, each scaled to its own sum.

    Args:
        title: What is counted.
        series: List of arrays of counts, all of one length; the first is filled, others are lines.
        low: Left end of the first bin.
        high: Right end of the last bin.
        as_text: Function that writes a number of the axis.
    """
    shares = [np.asarray(counts, np.float64) / max(1, np.sum(counts)) for counts in series]
    top = max(share.max() for share in shares) or 1
    width, height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    parts = []
    for index, share in enumerate(shares):
        xs = _LEFT + width * np.repeat(np.arange(len(share) + 1), 2) / len(share)
        ys = _TOP + height * (1 - np.concatenate([[0], np.repeat(share, 2), [0]]) / top)
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
        parts.append(f'<polyline class="series{index}" points="{points}"/>')
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, anchor = _LEFT + width * share, {0: "start", 1: "end"}.get(share, "middle")
        text = html.escape(as_text(low + (high - low) * share))
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{text}</text>'
        )
    base = HEIGHT - _BOTTOM
    parts.append(f'<path class="axis" d="M{_LEFT} {base + 0.5}H{WIDTH - _RIGHT}"/>')
    return _svg(title, WIDTH, HEIGHT, parts)


def ab_histogram(title, counts):
    """Draws how often each a* and b* occurs: its own color at L* = 65, the fainter the rarer.

    Args:
        title: Whose colors.
        counts: Array of shape `(44, 44)`: a* by b*.
    """
    size, margin = 264, 26
    middles = (np.arange(NUM_AB) + 0.5) * (2 * AB_RANGE / NUM_AB) - AB_RANGE
    a, b = np.meshgrid(middles, middles, indexing="ij")
    lab = np.stack([np.full_like(a, 65), a, b], axis=-1).astype(np.float32)
    rgb = np.clip(lab_to_rgb(lab).numpy(), 0, 1)
    logs = np.log1p(counts)
    alpha = logs / max(1, logs.max())
    # Up is b*, to the right a*.
    picture = np.concatenate([rgb[..., ::-1], alpha[..., None]], axis=-1)
    picture = np.round(255 * picture).astype(np.uint8).transpose(1, 0, 2)[::-1]
    data = base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode()
    middle, end = margin + size / 2, margin + size
    parts = [
        f'<image x="{margin}" y="{margin}" width="{size}" height="{size}" '
        f'href="data:image/png;base64,{data}" style="image-rendering:pixelated"/>',
        f'<path class="axis" d="M{margin} {middle}H{end}M{middle} {margin}V{end}"/>',
        f'<rect class="axis" x="{margin}" y="{margin}" width="{size}" height="{size}"/>',
    ]
    for x, y, text in (
        (end - 22, middle - 6, "+a*"),
        (margin + 4, middle - 6, "−a*"),
        (middle + 5, margin + 14, "+b*"),
        (middle + 5, end - 6, "−b*"),
    ):
        parts.append(f'<text class="tick" x="{x}" y="{y}">{text}</text>')
    return _svg(title, size + 2 * margin, size + 2 * margin, parts)


def _svg(title, width, height, parts):
    title = html.escape(title)
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{title}"><text class="title" x="{_LEFT}" y="16">{title}</text>'
        f"{''.join(parts)}</svg>\n"
    )
