"""The figures of a study, as readable Markdown."""

import collections

import numpy as np

from colorization import pages
from colorization.preference import scores
from pipelines.console import count

# The name of the truth among the models.
TRUTH = "truth"
_SHARES = {"left": 1.0, "right": 0.0, "tie": 0.5}


def report(votes, names):
    """Writes what the votes say.

    Args:
        votes: List of `votes.Vote`.
        names: Dict of the models' names by number; the truth is named `TRUTH`.

    Returns:
        Lines of text.
    """
    if not votes:
        return ["No votes yet, so there is nothing to report."]
    truth = next((number for number, name in names.items() if name == TRUTH), None)
    cast = [vote for vote in votes if vote.question.repeats is None]
    beside_truth = [vote for vote in cast if truth in vote.question.pair]
    preferences = [vote for vote in cast if truth not in vote.question.pair]
    voters = len({vote.voter for vote in votes})
    photos = len({vote.question.photo for vote in votes})
    told = count(len(votes), "vote"), count(voters, "voter"), count(photos, "photo")
    lines = ["{} of {} on {}.".format(*told)]
    if preferences:
        lines += ["", *_preference(preferences, names)]
    if beside_truth:
        lines += ["", *_fooling(beside_truth, names, truth)]
    repeats = [vote for vote in votes if vote.repeated is not None]
    if repeats:
        same = sum(vote.choice == vote.repeated for vote in repeats)
        lines += [
            "",
            f"Consistency: {same} of {count(len(repeats), 'repeated question')} answered as "
            "before. Repeats are left out of the tables.",
        ]
    return lines


def _preference(votes, names):
    models = sorted({number for vote in votes for number in vote.question.pair})
    pairs, shares, groupings = _as_arrays(votes, models)
    wins = scores.count_wins(pairs, shares, len(models))
    heading = f"Which looks better: {count(len(votes), 'vote')}, {_ties(votes)}."
    groups = scores.connected_groups(wins)
    if len(groups) > 1:
        listed = " | ".join(", ".join(names[models[i]] for i in group) for group in groups)
        return [
            heading,
            f"No scores: no votes connect these groups of models: {listed}. Ask for more votes.",
        ]
    found = scores.bradley_terry(wins)
    reach = scores.QUANTILE * scores.standard_errors(found, pairs, shares, groupings)
    rows = []
    for i in np.argsort(-found, kind="stable"):
        games = wins[i].sum() + wins[:, i].sum()
        rows.append(
            (
                names[models[i]],
                f"{found[i]:+.2f}",
                f"{found[i] - reach[i]:+.2f} to {found[i] + reach[i]:+.2f}",
                f"{wins[i].sum() / games:.0%}",
                f"{games:.0f}",
            )
        )
    header = ("model", "score", "95 % interval", "preferred", "votes")
    lines = [heading, "", *pages.markdown([header, *rows], numbers=True).splitlines()]
    lines += ["", "A model that scores 1 more than another is preferred to it 73 times of 100."]
    for i, own in enumerate(wins):
        if min(own.sum(), wins[:, i].sum()) == 0:
            what = "every" if own.sum() else "no"
            lines.append(
                f"{names[models[i]]} won {what} vote: one added tie keeps its score finite."
            )
    return lines


def _fooling(votes, names, truth):
    fooled, trials = collections.Counter(), collections.Counter()
    for vote in votes:
        left_is_output = vote.question.right == truth
        model = vote.question.left if left_is_output else vote.question.right
        share = _SHARES[vote.choice]
        fooled[model] += share if left_is_output else 1 - share
        trials[model] += 1
    header, rows = ("model", "fooling rate", "95 % interval", "votes"), []
    for model in sorted(trials, key=lambda model: (-fooled[model] / trials[model], names[model])):
        low, high = scores.wilson_interval(fooled[model], trials[model])
        rate = fooled[model] / trials[model]
        interval = f"{100 * low:.1f} to {100 * high:.1f} %"
        rows.append((names[model], f"{100 * rate:.1f} %", interval, str(trials[model])))
    return [
        f"Which is the real photo: {count(len(votes), 'vote')}, {_ties(votes)}.",
        "",
        *pages.markdown([header, *rows], numbers=True).splitlines(),
        "",
        "The fooling rate is how often the output was taken for the real photo; 50 % is the best "
        "that can be hoped for.",
    ]


def _as_arrays(votes, models):
    numbers = {model: i for i, model in enumerate(models)}
    pairs = np.array([[numbers[v.question.left], numbers[v.question.right]] for v in votes])
    shares = np.array([_SHARES[vote.choice] for vote in votes])
    by = [vote.question.photo for vote in votes], [vote.voter for vote in votes]
    return pairs, shares, [np.unique(groups, return_inverse=True)[1] for groups in by]


def _ties(votes):
    return f"{sum(vote.choice == 'tie' for vote in votes)} of them undecided (half a win for each)"
