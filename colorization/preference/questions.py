"""Which pair a voter is shown next.

Models and photos are the numbers that the votes know them by; the truth is one of the models. Equal
arguments give equal questions.
"""

import collections
import dataclasses
import itertools
import random

PREFERENCE, TRUTH = "preference", "truth"
# Of these questions one is an earlier one again, sides changed, at least so many questions later.
REPEAT_EVERY = 10
REPEAT_AFTER = 5


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a study asks.

    Args:
        models: Numbers of the models that are compared.
        photos: Numbers of the photos.
        truth: Number of the truth among the models if outputs are held beside it, else None.
        num_questions: Most questions that a voter is asked.
        seed: Of all shuffling.
    """

    models: tuple
    photos: tuple
    truth: int | None
    num_questions: int
    seed: int

    def pairs(self, kind):
        """Pairs of models that questions of a kind compare, as sorted tuples."""
        if kind == PREFERENCE:
            return list(itertools.combinations(sorted(self.models), 2))
        return [] if self.truth is None else [tuple(sorted((m, self.truth))) for m in self.models]

    def counts(self):
        """How many questions of each kind a voter is asked: dict, in the order of asking.

        Preferences come first, since who has seen the truth prefers what resembles it. Each pair,
        whether of models or of a model and the truth, gets an equal share.
        """
        pairs = {kind: len(self.pairs(kind)) for kind in (PREFERENCE, TRUTH)}
        wanted = round(self.num_questions * pairs[TRUTH] / sum(pairs.values()))
        wanted = {PREFERENCE: self.num_questions - wanted, TRUTH: wanted}
        return {kind: min(wanted[kind], pairs[kind] * len(self.photos)) for kind in pairs}

    def covers(self, question):
        """Tells whether the study can still ask a question: models may have gone, or photos."""
        known = {*self.models, self.truth}
        return question.photo in self.photos and {question.left, question.right} <= known

    def kind(self, question):
        """The kind of a question."""
        is_truth = self.truth in (question.left, question.right)
        return TRUTH if self.truth is not None and is_truth else PREFERENCE


@dataclasses.dataclass(frozen=True)
class Question:
    """Two colorings of one photo, side by side.

    Args:
        photo: Number of the photo.
        left: Number of the model on the left.
        right: Number of the model on the right.
        repeats: Key of the voter's earlier question that this one repeats, or None.
    """

    photo: int
    left: int
    right: int
    repeats: int | None = None

    @property
    def pair(self):
        """The two models, sorted."""
        return tuple(sorted((self.left, self.right)))


def next_question(plan, voter, asked, counts):
    """Chooses a voter's next `Question`, or None if the voter has been asked all.

    The pair with the fewest votes comes first; of its photos, the one that the voter has seen
    least, then the one with the fewest votes. Sides, and what is left open, are drawn by the seed.
    `voter` is a text that tells voters apart, `asked` a dict of their questions by key, in the
    order of asking, and `counts` a dict of the votes of all voters by `(photo, pair)`.
    """
    asked = {key: question for key, question in asked.items() if plan.covers(question)}
    kinds = collections.Counter(plan.kind(question) for question in asked.values())
    kind = next((kind for kind, most in plan.counts().items() if kinds[kind] < most), None)
    if kind is None:
        return None
    draw = random.Random(f"{plan.seed} {voter} {len(asked)}")
    if (len(asked) + 1) % REPEAT_EVERY == 0:
        repeated = _repeat(plan, kind, asked)
        if repeated is not None:
            return repeated
    done = {(question.photo, question.pair) for question in asked.values()}
    # Repeats left out: the photos that are short of votes come first, and the first are repeated.
    seen = collections.Counter(q.photo for q in asked.values() if q.repeats is None)
    by_pair, by_photo = collections.Counter(), collections.Counter()
    for (photo, pair), votes in counts.items():
        by_pair[pair] += votes
        by_photo[photo] += votes
    open_photos = {
        pair: [photo for photo in plan.photos if (photo, pair) not in done]
        for pair in plan.pairs(kind)
    }
    # Never empty: of each kind no more is asked than there are photos for its pairs.
    open_pairs = [pair for pair, photos in open_photos.items() if photos]
    pair = min(open_pairs, key=lambda pair: (by_pair[pair], draw.random()))
    photo = min(
        open_photos[pair],
        key=lambda photo: (
            seen[photo],
            counts.get((photo, pair), 0),
            by_photo[photo],
            draw.random(),
        ),
    )
    left, right = draw.sample(pair, 2)
    return Question(photo, left, right)


def _repeat(plan, kind, asked):
    """The voter's first question of a kind that was not repeated yet, with its sides changed."""
    repeated = {question.repeats for question in asked.values()}
    for key, question in list(asked.items())[:-REPEAT_AFTER]:
        if question.repeats is None and key not in repeated and plan.kind(question) == kind:
            return Question(question.photo, question.right, question.left, repeats=key)
    return None
