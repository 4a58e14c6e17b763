"""Sets figures side by side: `python -m colorization.compare FILE.jsonl FILE.jsonl ...`.

Takes what `python -m colorization.evaluate --output=FILE.jsonl` wrote. Figures of one set stand in
one table, if all that they depend on is equal; else the fields that differ are named, and the exit
status is 1.
"""


def define_flags():
    """Defines the flags of the command: it has none."""


def main(arguments):
    """Prints a table for each set of photos."""
    from colorization.evaluation import EvaluationError

    if not arguments:
        raise EvaluationError(
            "compare takes files that colorization.evaluate --output wrote. Received: none."
        )
    from colorization.evaluation import results, tables

    files = {path: results.read(path) for path in arguments}
    groups = _group(files)
    for label, group in groups.items():
        _check(label, group)
    for label, group in groups.items():
        heading = f"{label}: {group[0][1]['data']['photos']:,} photos"
        warnings = dict.fromkeys(line for _, record in group for line in record["warnings"])
        print(tables.section(heading, _columns(group), warnings), flush=True)


def _group(files):
    """Records by the set they are of, each with its file; sets of one file alone are no matter."""
    from colorization.evaluation import EvaluationError

    labels = [{record["data"]["label"] for record in found} for found in files.values()]
    # Files of one set each are compared whatever the set is called.
    single = next(iter(labels[0])) if all(len(found) == 1 for found in labels) else None
    groups = {}
    for path, found in files.items():
        for record in found:
            groups.setdefault(single or record["data"]["label"], []).append((path, record))
    if len(files) > 1:
        groups = {k: group for k, group in groups.items() if len({path for path, _ in group}) > 1}
    if not groups:
        told = "; ".join(
            f"{path} has {', '.join(sorted(found))}"
            for path, found in zip(files, labels, strict=True)
        )
        raise EvaluationError(f"compare needs a set that two files tell about. Received: {told}.")
    return groups


def _check(label, group):
    from colorization.evaluation import EvaluationError, results

    path, first = group[0]
    for other_path, other in group[1:]:
        found = list(results.differences(first["protocol"], other["protocol"]))
        if found:
            fields = "; ".join(
                f"{name} is {one!r} there and {two!r} here" for name, one, two in found
            )
            raise EvaluationError(
                f"{label}: figures of {path} and {other_path} can't stand side by side, since "
                f"their protocols differ: {fields}. Evaluate both in the same way."
            )


def _columns(group):
    """Figures by the name of the system, and of its file where two share the name."""
    names = [record["system"]["label"] for _, record in group]
    columns = {}
    for (path, record), name in zip(group, names, strict=True):
        unique = name if names.count(name) == 1 else f"{name} ({path})"
        columns[unique] = record["figures"]
    return columns


if __name__ == "__main__":
    from pipelines.console import run_command

    run_command(main, define_flags)
