"""Made pairs, whose truth is known: what helps, what harms, what can do nothing."""

import numpy as np

from sktandem.datasets import make_two_sources

from .problem import Problem


class Made(Problem):
    """20 features, one rule for each of two sources, 50 rows beside 1,900."""

    licence = "made"
    bundled = True  # so that tuning sees them
    made = True
    train = {"first": 50}  # noqa: RUF012
    angle = 0.0

    def load(self, seed):
        settings = {"n_features": 20, "concept_angle": self.angle, "random_state": seed}
        return make_two_sources(4000, return_X_y=True, **settings)


class SameRule(Made):
    name = table = "made: same rule, 50"
    why = "agreeing rules, small beside large: the most there is to gain"


class OppositeRule(Made):
    name, table = "made: opposite rule, 50", "made: opposite"
    why = "contradicting rules: a merge ruins both"
    angle = 180.0


class OppositeRule200(OppositeRule):
    name = "made: opposite rule, 200"
    why = "contradicting rules, more own rows"
    train = {"first": 200}  # noqa: RUF012


class OtherUnits(Made):
    name = table = "made: other units, 50"
    why = "one rule, the target of one source in other units"

    def load(self, seed):
        X, y, source = super().load(seed)
        return X, np.where(source == "first", y, 40 * y + 300), source


class Useless(Made):
    name = table = "made: useless, 50"
    why = "nothing can help: the target of the other source is shuffled"

    def load(self, seed):
        X, y, source = super().load(seed)
        shuffled = np.random.default_rng(seed).permutation(y)
        return X, np.where(source == "first", y, shuffled), source


class Unrelated(Made):
    name = table = "made: unrelated rules, 50"
    why = "nothing can help: the rules are at a right angle"
    angle = 90.0


class ManyUnrelated(Problem):
    name = table = "made: twelve unrelated rules"
    licence = "made"
    why = "nothing can help: twelve sources, each with a rule of its own"
    bundled = made = True

    def load(self, seed):
        rng = np.random.default_rng(seed)
        rules, source = rng.normal(size=(12, 10)), np.repeat(np.arange(12), 160)
        X = rng.normal(size=(len(source), 10))
        y = (X * rules[source]).sum(axis=1) + rng.normal(scale=2, size=len(source))
        return X, y, source


MADE = (
    SameRule, OppositeRule, OppositeRule200, OtherUnits, Useless, Unrelated,
    ManyUnrelated,
)  # fmt: skip
