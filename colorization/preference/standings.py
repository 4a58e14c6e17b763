"""The figures of a study: Bradley-Terry scores and shares, each with a 95 % interval, as Markdown.

The scores of a study have mean zero; a model is preferred to another with probability `1 / (1 +
exp(other - own))`. A vote's share is 1 if its first model was preferred, 0 if its second was, and
0.5 if the voter could not tell.

Sources: Bradley and Terry, Rank Analysis of Incomplete Block Designs, Biometrika 1952; Hunter, MM
Algorithms for Generalized Bradley-Terry Models, Annals of Statistics 2004; Liang and Zeger,
Longitudinal Data Analysis Using Generalized Linear Models, Biometrika 1986 (votes that belong
together); Wilson, Probable Inference, JASA 1927.
"""

import collections

import numpy as np

from colorization import pages
from pipelines.console import count

# The name of the truth among the models.
TRUTH = "truth"
_SHARES = {"left": 1.0, "right": 0.0, "tie": 0.5}
# Without it, a model that won every vote would score infinity.
PRIOR_TIES = 1.0
# Of the normal distribution: 95 % lie within.
QUANTILE = 1.959964
_TOLERANCE = 1e-10
_MAX_STEPS = 100_000


def report(votes, names):
    """Reports a list of `study.Vote` as lines of text; `names` are the models', by number."""
    if not votes:
        return ["No votes yet, so there is nothing to report."]
    truth = next((number for number, name in names.items() if name == TRUTH), None)
    cast = [vote for vote in votes if vote.question.repeats is None]
    beside_truth = [vote for vote in cast if truth in vote.question.pair]
    preferences = [vote for vote in cast if truth not in vote.question.pair]
    voters = count(len({vote.voter for vote in votes}), "voter")
    photos = count(len({vote.question.photo for vote in votes}), "photo")
    lines = [f"{count(len(votes), 'vote')} of {voters} on {photos}."]
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
    numbers = {model: i for i, model in enumerate(models)}
    pairs = np.array([[numbers[v.question.left], numbers[v.question.right]] for v in votes])
    shares = np.array([_SHARES[vote.choice] for vote in votes])
    by = [vote.question.photo for vote in votes], [vote.voter for vote in votes]
    groupings = [np.unique(groups, return_inverse=True)[1] for groups in by]
    wins = count_wins(pairs, shares, len(models))
    heading = f"Which looks better: {count(len(votes), 'vote')}, {_ties(votes)}."
    groups = connected_groups(wins)
    if len(groups) > 1:
        listed = " | ".join(", ".join(names[models[i]] for i in group) for group in groups)
        return [
            heading,
            f"No scores: no votes connect these groups of models: {listed}. Ask for more votes.",
        ]
    found = bradley_terry(wins)
    reach = QUANTILE * standard_errors(found, pairs, shares, groupings)
    won, lost = wins.sum(axis=1), wins.sum(axis=0)
    rows = [("model", "score", "95 % interval", "preferred", "votes")]
    for i in np.argsort(-found, kind="stable"):
        interval = f"{found[i] - reach[i]:+.2f} to {found[i] + reach[i]:+.2f}"
        games = won[i] + lost[i]
        share = f"{won[i] / games:.0%}"
        rows.append((names[models[i]], f"{found[i]:+.2f}", interval, share, f"{games:.0f}"))
    lines = [heading, "", *pages.markdown(rows, numbers=True).splitlines()]
    lines += ["", "A model that scores 1 more than another is preferred to it 73 times of 100."]
    for i in np.flatnonzero(np.minimum(won, lost) == 0):
        what = "every" if won[i] else "no"
        lines.append(f"{names[models[i]]} won {what} vote: one added tie keeps its score finite.")
    return lines


def _fooling(votes, names, truth):
    fooled, trials = collections.Counter(), collections.Counter()
    for vote in votes:
        left_is_output = vote.question.right == truth
        model = vote.question.left if left_is_output else vote.question.right
        share = _SHARES[vote.choice]
        fooled[model] += share if left_is_output else 1 - share
        trials[model] += 1
    rates = {model: fooled[model] / trials[model] for model in trials}
    rows = [("model", "fooling rate", "95 % interval", "votes")]
    for model in sorted(trials, key=lambda model: (-rates[model], names[model])):
        low, high = wilson_interval(fooled[model], trials[model])
        interval = f"{100 * low:.1f} to {100 * high:.1f} %"
        rows.append((names[model], f"{100 * rates[model]:.1f} %", interval, str(trials[model])))
    return [
        f"Which is the real photo: {count(len(votes), 'vote')}, {_ties(votes)}.",
        "",
        *pages.markdown(rows, numbers=True).splitlines(),
        "",
        "The fooling rate is how often the output was taken for the real photo; 50 % is the best "
        "possible.",
    ]


def _ties(votes):
    return f"{sum(vote.choice == 'tie' for vote in votes)} of them undecided (half a win for each)"


def count_wins(pairs, shares, num_models):
    """Counts the wins of the row over the column, floats of shape `(num_models, num_models)`.

    `pairs`, `(num_votes, 2)`, are the two models of each vote; `shares` are 0, 0.5 or 1.
    """
    wins = np.zeros((num_models, num_models))
    np.add.at(wins, (pairs[:, 0], pairs[:, 1]), shares)
    np.add.at(wins, (pairs[:, 1], pairs[:, 0]), 1 - np.asarray(shares))
    return wins


def connected_groups(wins):
    """Sorts models into groups that votes connect; scores compare within a group only."""
    reached = (wins + wins.T > 0) | np.eye(len(wins), dtype=bool)
    for _ in wins:
        reached = reached @ reached
    return sorted(np.flatnonzero(row).tolist() for row in np.unique(reached, axis=0))


def bradley_terry(wins, prior_ties=PRIOR_TIES):
    """Finds the scores that make the votes likeliest, by Hunter's MM algorithm.

    `wins` are as from `count_wins`, of models that are one connected group. Returns floats of shape
    `(num_models,)`, of mean zero. `prior_ties` are added to the votes of each model, in equal parts
    with each of the others, so that every score is finite.
    """
    wins = wins + _prior_wins(len(wins), prior_ties)
    games, total, scores = wins + wins.T, wins.sum(axis=1), np.zeros(len(wins))
    for _ in range(_MAX_STEPS):
        strength = np.exp(scores)
        better = np.log(total / (games / (strength[:, None] + strength)).sum(axis=1))
        better -= better.mean()
        done = np.abs(better - scores).max() < _TOLERANCE
        scores = better
        if done:
            break
    return scores


def standard_errors(scores, pairs, shares, groupings, prior_ties=PRIOR_TIES):
    """Estimates standard errors of scores, floats of shape `(num_models,)`.

    It is the largest of several (Angrist and Pischke, Mostly Harmless Econometrics, 8.2.3): that of
    independent votes, and, for each grouping, that of votes that are independent only between
    groups, such as those on one photo. A grouping has the group of each vote, from 0. The other
    arguments are as for `count_wins` and `bradley_terry`.
    """
    num_models = len(scores)
    games = count_wins(pairs, shares, num_models) + _prior_wins(num_models, prior_ties)
    games = games + games.T
    expected = 1 / (1 + np.exp(scores - scores[:, None]))
    information = -games * expected * expected.T
    np.fill_diagonal(information, 0)
    np.fill_diagonal(information, -information.sum(axis=1))
    # Scores of mean zero: the direction that is left out of the information is left out here.
    covariance = np.linalg.pinv(information, hermitian=True)
    variances = [np.diag(covariance)]
    first, second = pairs.T
    residual = shares - expected[first, second]
    for groups in groupings:
        num_groups = groups.max() + 1
        if num_groups < 2:
            continue
        gradient = np.zeros((num_groups, num_models))
        np.add.at(gradient, (groups, first), residual)
        np.add.at(gradient, (groups, second), -residual)
        moved = gradient @ covariance
        variances.append((moved**2).sum(axis=0) * num_groups / (num_groups - 1))
    return np.sqrt(np.max(variances, axis=0))


def wilson_interval(successes, trials):
    """The 95 % interval of a share, a pair of floats in `[0, 1]`; successes may be halves."""
    share, weight = successes / trials, QUANTILE**2 / trials
    center = share + weight / 2
    reach = np.sqrt(weight * (share * (1 - share) + weight / 4))
    low, high = (center - reach) / (1 + weight), (center + reach) / (1 + weight)
    return float(max(low, 0)), float(min(high, 1))


def _prior_wins(num_models, ties):
    return (1 - np.eye(num_models)) * (ties / 2 / max(num_models - 1, 1))
