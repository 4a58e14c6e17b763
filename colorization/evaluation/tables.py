"""Figures side by side, as aligned Markdown."""

from colorization.evaluation.figures import FIGURES, Figure

# What names of networks' figures end in.
_ENDINGS = {
    "kid": Figure("lower", 1, scale=1000),
    "fid": Figure("lower", 1),
    "diversity": Figure("higher", 3),
    "lpips-alex": Figure("lower", 4),
}


def section(label, columns, warnings=()):
    """Sets the figures of a set side by side, under a heading and above warnings.

    Args:
        label: Heading.
        columns: As for `table`.
        warnings: Lines.

    Returns:
        Text of Markdown.
    """
    notes = "".join(f"\n{line}\n" for line in warnings)
    return f"### {label}\n\n{table(columns)}\n{notes}"


def table(columns):
    """Sets figures side by side.

    Args:
        columns: Dict of dicts of figures, each a dict of `value`, `low` and `high`: by the
            column's name, and by the figure's.

    Returns:
        Text of a Markdown table, a row for each figure; a figure that a column lacks is a dash.
    """
    found = rows(columns)
    widths = [max(map(len, cells)) for cells in zip(*found, strict=True)]
    found.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in found
    )


def rows(columns):
    """Writes figures as cells.

    Args:
        columns: As for `table`.

    Returns:
        List of lists of text, the header first: the figure, what is better, and the columns.
    """
    found = [["figure", "better", *columns]]
    for name in _in_order(columns.values()):
        known = _known(name)
        label = f"{name} x{known.scale}" if known.scale != 1 else name
        better = "as truth" if known.better == "truth" else known.better
        cells = [_cell(figures.get(name), known) for figures in columns.values()]
        found.append([label, better, *cells])
    return found


def _in_order(columns):
    """Names of all figures: distances of sets, in the order that they came; `FIGURES`; the rest."""
    names = dict.fromkeys(name for figures in columns for name in figures)
    first = [name for name in names if name.endswith(("kid", "fid"))]
    first += [name for name in FIGURES if name in names]
    return first + [name for name in names if name not in first]


def _known(name):
    if name in FIGURES:
        return FIGURES[name]
    return next(figure for ending, figure in _ENDINGS.items() if name.endswith(ending))


def _cell(figure, known):
    if figure is None:
        return "-"
    value, low, high = (
        None if x is None else f"{x * known.scale:.{known.digits}f}"
        for x in (figure["value"], figure["low"], figure["high"])
    )
    # An end that rounds to nothing keeps no sign.
    value, low, high = (x and (x.lstrip("-") if float(x) == 0 else x) for x in (value, low, high))
    return value if low is None or low == high == value else f"{value} [{low}, {high}]"
