"""The report of runs as Markdown: a table of all, pairs beside one another, a sheet of each."""

from colorization.evaluation import tables

# What stands in the table of all runs, beside the figures of networks.
_MAIN = ("psnr", "ssim", "colorfulness", "colorfulness-gap")
_LEGEND = """\
Every run colored the pictures of its own validation set at the size of its crops. Predicted chroma
was put on the picture's own lightness; predicted RGB was taken as it is. In brackets: 95 %
intervals over the pictures, which say nothing of what another seed would have given. Seconds are
those of the epochs by the clock, whatever else the machine did.
"""
_SHEETS = """\
Rows: the picture in gray, as the run colored it (a run with noise several times, first by none), as
it is.
"""


def page(facts, outcomes, differences, networks, folder):
    """Writes the report.

    Args:
        facts: Dict of dicts of what is known of a run, by its name: `recipe`, `flags` (a dict of
            text), `data`, `pictures`, `steps` and `seconds`.
        outcomes: Dict of `runs.Outcome`s, by name.
        differences: Dict of dicts of `summary.Value`s, by pairs of tuples of names.
        networks: List of `features.Features`.
        folder: Where the sheets lie, seen from the page.

    Returns:
        Text of Markdown.
    """
    common = _common([fact["flags"] for fact in facts.values()])
    parts = ["# Runs side by side\n", _LEGEND]
    if common:
        parts.append(f"All runs: {_words(common)}\n")
    parts.append(_all_runs(facts, outcomes, networks) + "\n")
    for (first, second), values in differences.items():
        parts.append(_pair(first, second, outcomes, values))
    parts += ["## Pictures\n", _SHEETS]
    for name, fact in facts.items():
        own = {k: value for k, value in fact["flags"].items() if k not in common}
        told = f", with {_words(own)}" if own else ""
        parts.append(f"### {name}\n\n{fact['recipe']}{told}\n\n![{name}]({folder}/{name}.jpg)\n")
    return "\n".join(parts)


def _all_runs(facts, outcomes, networks):
    names = list(_MAIN)
    for network in networks:
        kinds = ("kid", "diversity") if network.extract else ("diversity",)
        names += [network.figure_name(kind) for kind in kinds]
    header = ["run", "recipe", "data", "steps", "seconds", *map(tables.label, names)]
    rows = [header]
    for name, fact in facts.items():
        figures = {k: vars(value) for k, value in outcomes[name].figures.items()}
        cells = [tables.cell(figures.get(k), tables.known(k)) for k in names]
        row = [name, fact["recipe"], fact["data"], f"{fact['steps']:,}", f"{fact['seconds']:,.0f}"]
        rows.append(row + cells)
    return tables.markdown(rows)


def _pair(first, second, outcomes, values):
    sides = ["+".join(first), "+".join(second)]
    rows = [["figure", "better", *sides, "difference"]]
    kids = [k for k in outcomes[first[0]].figures if k.endswith("-kid")]
    for name in (*kids, *values):
        known = tables.known(name)
        means = [
            sum(outcomes[run].figures[name].value for run in side) / len(side)
            for side in (first, second)
        ]
        plain = [tables.cell({"value": x, "low": None, "high": None}, known) for x in means]
        more = tables.cell(vars(values[name]), known) if name in values else "-"
        rows.append([tables.label(name), tables.better(name), *plain, more])
    return f"## {sides[0]} and {sides[1]}\n\n{tables.markdown(rows)}\n"


def _common(flags):
    """What all dicts have alike."""
    first, *others = flags
    return {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}


def _words(flags):
    return " ".join(f"`{flag}`" for flag in flags.values())
