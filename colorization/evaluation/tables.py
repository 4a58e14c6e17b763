"""Figures side by side, as aligned Markdown."""

from colorization.evaluation.figures import FIGURES, Figure

# What names of networks' figures end in.
_ENDINGS = {
    "kid": Figure("lower", 1, scale=1000),
    "fid": Figure("lower", 1),
    "diversity": Figure("higher", 3),
    "lpips-alex": Figure("lower", 4),
    "-error": Figure("lower", 2),
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
    return markdown(rows(columns))


def markdown(rows):
    """Writes cells as an aligned Markdown table.

    Args:
        rows: List of lists of text, the header first.

    Returns:
        Text.
    """
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    ruled = [rows[0], ["-" * width for width in widths], *rows[1:]]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in ruled
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
        figure = known(name)
        cells = [cell(figures.get(name), figure) for figures in columns.values()]
        found.append([label(name), better(name), *cells])
    return found


def _in_order(columns):
    """Names of all figures: distances of sets, in the order that they came; `FIGURES`; the rest."""
    names = dict.fromkeys(name for figures in columns for name in figures)
    first = [name for name in names if name.endswith(("kid", "fid"))]
    first += [name for name in FIGURES if name in names]
    return first + [name for name in names if name not in first]


def label(name):
    """What tables call a figure."""
    scale = known(name).scale
    return f"{name} x{scale}" if scale != 1 else name


def better(name):
    """What tables say is better of a figure."""
    return "as truth" if known(name).better == "truth" else known(name).better


def known(name):
    """The `Figure` of a name."""
    if name in FIGURES:
        return FIGURES[name]
    return next(figure for ending, figure in _ENDINGS.items() if name.endswith(ending))


def cell(figure, known):
    """Writes a figure.

    Args:
        figure: Dict of `value`, `low` and `high`, these two None if there is no interval; or None.
        known: Its `Figure`.

    Returns:
        Text; a dash for None.
    """
    if figure is None:
        return "-"
    value, low, high = (
        None if x is None else f"{x * known.scale:.{known.digits}f}"
        for x in (figure["value"], figure["low"], figure["high"])
    )
    # An end that rounds to nothing keeps no sign.
    value, low, high = (x and (x.lstrip("-") if float(x) == 0 else x) for x in (value, low, high))
    return value if low is None or low == high == value else f"{value} [{low}, {high}]"
