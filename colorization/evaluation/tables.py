"""Figures side by side, as aligned Markdown."""

from colorization import pages
from colorization.evaluation import figures


def section(records, names):
    """Sets the figures of a set side by side, under a heading and above warnings.

    Args:
        records: List of records of the set, as of `protocol.records`.
        names: What the table calls their systems.

    Returns:
        Text of Markdown.
    """
    data = records[0]["data"]
    columns = {name: one["figures"] for name, one in zip(names, records, strict=True)}
    warnings = dict.fromkeys(line for one in records for line in one["warnings"])
    notes = "".join(f"\n{line}\n" for line in warnings)
    heading = f"### {data['label']}: {data['photos']:,} photos"
    return f"{heading}\n\n{pages.markdown(rows(columns))}\n{notes}"


def rows(columns):
    """Writes figures as cells.

    Args:
        columns: Dict of dicts of figures, each a dict of `value`, `low` and `high`: by the column's
            name, and by the figure's.

    Returns:
        List of lists of text, the header first: the figure, what is better, and the columns; a
        figure that a column lacks is a dash.
    """
    names = dict.fromkeys(name for column in columns.values() for name in column)
    known = list(figures.FIGURES)
    # Distances of sets come first, in their own order, and those of single networks last.
    first = [name for name in names if name.endswith(("kid", "fid"))]
    first += [name for name in known if name in names and figures.find(name).of != "network"]
    first += [name for name in names if name not in first]
    found = [["figure", "better", *columns]]
    for name in first:
        cells = [cell(name, column.get(name)) for column in columns.values()]
        found.append([label(name), better(name), *cells])
    return found


def label(name):
    """What tables call a figure."""
    scale = figures.find(name).scale
    return f"{name} x{scale}" if scale != 1 else name


def better(name):
    """What tables say is better of a figure."""
    return {"truth": "as truth"}.get(figures.find(name).better, figures.find(name).better)


def cell(name, value):
    """Writes a figure, a dict of `value`, `low` and `high`, as text; a dash for None."""
    if value is None:
        return "-"
    figure = figures.find(name)
    value, low, high = (
        None if x is None else f"{x * figure.scale:.{figure.digits}f}"
        for x in (value["value"], value["low"], value["high"])
    )
    # What rounds to zero keeps no sign.
    value, low, high = (x and (x.lstrip("-") if float(x) == 0 else x) for x in (value, low, high))
    return value if low is None or low == high == value else f"{value} [{low}, {high}]"
