"""Can the words of `compare_strategies` be trusted? On data whose truth is known.

Null: a model of all rows of A against one of half of A's rows and equally many of B,
a source of the same population. Both learn from as many rows, so the true difference
is 0, and every "helps" or "harms" is false. (A and B merged would be no null: more
rows of the same kind truly help.) A and B are drawn anew in every seed, which is
harder than the interval promises: it speaks of A's rows, given B.

Expect more than 95 % here. Both models come to be the same as rows grow, and then the
luck of training rows and that of test rows, which are the same rows, partly cancel. For
least squares the variance of the estimate is half of what rows tell, so that intervals
of 95 % hold in about 99 %. No rule knows from one sample whether this is so.

Other features: A's own model on one half of the features against a model on the other
half, which tells as much. This null is nearer to a comparison of unlike strategies.

Effects: own models of A against A and B merged. B is four times as large and held
fixed; a share of its labels is flipped, as many as make the true gain +0.05 or -0.05,
in log loss for the linear model and in Brier score for the tree. Three B for each. A
strong rule has log odds twice as wide, and more features: what the linear model then
loses for want of rows falls on few rows, which makes intervals wide.

The truth is the mean over training sets of nine tenths of A's rows, each scored on
20,000 fresh rows by the probabilities that drew their labels. Everything else goes
through `compare_strategies` as users call it: 10 folds, 5 repeats.

"naive t" is Student's on the 50 fold scores, "corrected t" that of Nadeau and Bengio
on the same, in three seeds of ten; "auc" is the interval of the area under the ROC
curve, in three others. "95 % stray" is how far estimates stray from the truth: an
interval without slack would have this half-width.

An interval in brackets is Clopper and Pearson's of 95 %. --state names a file of
finished runs: a second call goes on where the first was stopped, or only reports.
"""

import argparse
import json
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from scipy import stats
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

sys.path.insert(0, str(Path(__file__).parent))
from _measure import report, write_json

from sktandem import Merged
from sktandem.model_selection import compare_strategies

N_FRESH = 20_000
N_PLANS = 3  # B that are held fixed, of each effect
N_FOLDS, N_REPEATS = 10, 5
SIZES = (100, 200, 1000)
AT_ONCE = 10  # seeds of a setting before the next has its turn
WORDS = ("helps", "harms", "does no harm", "cannot tell yet", None)


def learner(name):
    """Return the model that is compared with itself on other rows."""
    if name == "linear":
        return LogisticRegression(max_iter=1000)
    return DecisionTreeClassifier(max_depth=7)


def reference(setting):
    """Return the estimator of A's own model."""
    if setting.kind == "other features":
        return make_pipeline(Half(), learner(setting.model))
    return learner(setting.model)


class HalfAndHalf(ClassifierMixin, BaseEstimator):
    """A model of the first half of A's units and as many of B: rows, or persons.

    Of several `parts` of B it takes one, to make strategies that differ by luck alone.
    The rows left out are nearly the same in all folds, as in life: halves drawn anew
    in every fold would make folds more independent than they are.
    """

    def __init__(self, estimator=None, *, part=0, parts=1, persons=False):
        self.estimator = estimator
        self.part = part
        self.parts = parts
        self.persons = persons

    def fit(self, X, y, sample_source):
        # All rows of a person share their features.
        units = in_order(X[:, 0]) if self.persons else np.arange(len(y))
        a = np.unique(units[sample_source == "A"])
        b = np.unique(units[sample_source == "B"])
        first = self.part * (len(b) // self.parts)
        half = len(a) // 2
        chosen = np.concatenate([a[:half], b[first : first + len(a) - half]])
        rows = np.isin(units, chosen)
        self.model_ = clone(self.estimator).fit(X[rows], y[rows])
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


class Half(TransformerMixin, BaseEstimator):
    """One half of the features."""

    def __init__(self, first=True):
        self.first = first

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        middle = X.shape[1] // 2
        return X[:, :middle] if self.first else X[:, middle:]

    def __sklearn_is_fitted__(self):
        return True


class OfOneSource(ClassifierMixin, BaseEstimator):
    """A model of A's rows alone."""

    def __init__(self, estimator=None):
        self.estimator = estimator

    def fit(self, X, y, sample_source):
        own = sample_source == "A"
        self.model_ = clone(self.estimator).fit(X[own], y[own])
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


def in_order(values):
    """Return a number for each value, in the order of first sight."""
    _, first, codes = np.unique(values, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[codes]


# Populations


@dataclass(frozen=True)
class Setting:
    """One population, one question, and how many seeds answer it."""

    kind: str  # as in `settings`
    model: str
    n: int  # rows of A; persons where there are any
    seeds: int
    n_features: int

    @property
    def name(self):
        return f"{self.kind}, {self.model}, n={self.n}, {self.n_features} features"

    @property
    def is_effect(self):
        return self.kind.startswith(("gain", "loss"))

    @property
    def is_strong(self):
        return self.kind.endswith("strong rule")

    @property
    def is_main(self):
        return self.kind == "null" and self.n in SIZES and self.n_features <= 10

    @property
    def by_persons(self):
        return "persons" in self.kind


def settings(n_seeds):
    """Return all settings; those that need less with fewer seeds."""
    main = [
        Setting("null", model, n, n_seeds, n_features)
        for model, n_features in (("linear", 10), ("tree", 5))
        for n in SIZES
    ]
    # A linear model of ten features gains little from more rows; of a hundred, much.
    effects = [
        Setting(kind, model, n, max(10, n_seeds // (12 if n == 1000 else 25)), width)
        for n in SIZES
        for kind, model, width in (
            ("gain", "linear", n // 10),
            ("loss", "linear", 10),
            ("gain", "tree", 10),
            ("loss", "tree", 10),
        )
    ]
    strong = [
        Setting(f"{kind}, strong rule", "linear", 1000, max(10, n_seeds // 25), 125)
        for kind in ("gain", "loss")
    ]
    features = [
        Setting("other features", model, n, max(10, n_seeds // 5), 8)
        for model, n in (
            ("linear", 100),
            ("linear", 1000),
            ("tree", 100),
            ("tree", 1000),
        )
    ]
    more = [
        Setting(kind, "linear", n, max(10, n_seeds // 8), n_features)
        for kind, n, n_features in (
            ("six", 200, 10),
            ("persons", 100, 10),
            ("unequal persons", 100, 10),
            ("null", 50, 10),
            ("null", 100, 50),
        )
    ]
    return [*main, *effects, *strong, *features, *more]


def logits(X, setting):
    """Return the log odds of class 1: of all features, or of four that matter."""
    if setting.model == "linear" or setting.kind == "other features":
        spread = 1.5 if setting.is_effect and not setting.is_strong else 3.0
        return spread * X.sum(axis=1) / np.sqrt(X.shape[1])
    return 2.5 * X[:, :4].sum(axis=1)


def draw(rng, setting, n):
    """Return features, classes and the log odds behind them, of n units."""
    X = rng.normal(size=(n, setting.n_features))
    z = logits(X, setting)
    if setting.by_persons:
        z = z + rng.normal(size=n)
        sizes = np.full(n, 5)
        if setting.kind.startswith("unequal"):
            sizes = rng.integers(1, 10, size=n)
        X, z = np.repeat(X, sizes, axis=0), np.repeat(z, sizes)
    return X, (rng.random(len(z)) < expit(z)).astype(int), z


def other_source(rng, setting):
    """Return the rows of B, and for each how easily its label is flipped."""
    parts = 6 if setting.kind == "six" else 1
    size = 4 * setting.n if setting.is_effect else parts * (setting.n // 2 + 5)
    X, y, _ = draw(rng, setting, size)
    return X, y, rng.random(len(y))


def with_flips(other, share):
    """Return B with this share of its labels flipped."""
    X, y, order = other
    return X, np.where(order < share, 1 - y, y)


def strategies_of(setting):
    """Return what is compared with own models."""
    if setting.is_effect:
        return {"merged": Merged()}
    if setting.kind == "other features":
        other = make_pipeline(Half(first=False), learner(setting.model))
        return {"other features": OfOneSource(other)}
    model, persons = learner(setting.model), setting.by_persons
    parts = 6 if setting.kind == "six" else 1
    return {
        f"half and half {k}": HalfAndHalf(model, part=k, parts=parts, persons=persons)
        for k in range(parts)
    }


def stacked(own, other):
    """Return X, y and sample_source of A and B."""
    X, y = np.concatenate([own[0], other[0]]), np.concatenate([own[1], other[1]])
    return X, y, np.repeat(["A", "B"], [len(own[1]), len(other[1])])


# The truth


def risk(model, fresh, kind):
    """Return the expected loss on fresh rows of A, by their true probabilities."""
    X, _, z = fresh
    given = {"sample_source": np.full(len(X), "A")} if _is_ours(model) else {}
    p, true = model.predict_proba(X, **given)[:, 1], expit(z)
    if kind == "tree":
        return np.mean(true * (1 - p) ** 2 + (1 - true) * p**2)
    p = np.clip(p, 1e-15, 1 - 1e-15)
    return -np.mean(true * np.log(p) + (1 - true) * np.log(1 - p))


def _is_ours(model):
    return type(model).__module__.startswith("sktandem")


def own_risks(setting, train, fresh):
    """Return the risk of A's own model after each training set."""
    models = [learner(setting.model).fit(X, y) for X, y, _ in train]
    return np.array([risk(model, fresh, setting.model) for model in models])


def other_risks(setting, train, others, fresh):
    """Return the risk of the strategy after each training set and its B."""
    [strategy] = strategies_of(setting).values()
    if setting.is_effect:
        strategy = Merged(learner(setting.model), scaler=None)
    risks = []
    for own, other in zip(train, others):
        X, y, source = stacked(own, other)
        model = clone(strategy).fit(X, y, sample_source=source)
        risks.append(risk(model, fresh, setting.model))
    return np.array(risks)


def training_sets(rng, setting, count):
    """Return many training sets of A, as large as those in the folds."""
    return [draw(rng, setting, round(0.9 * setting.n)) for _ in range(count)]


def find_plans(setting):
    """Return for each B its seed, the share flipped and the true gain with its error.

    Of a null there is one: B is drawn anew with each training set.
    """
    if setting.is_effect:
        return [_plan(setting, seed) for seed in range(N_PLANS)]
    if setting.kind != "null":
        return [{"truth": 0.0}]  # by the same argument
    rng = np.random.default_rng([7, setting.n, setting.n_features])
    fresh = draw(rng, setting, N_FRESH)
    train = training_sets(rng, setting, 200)
    others = [other_source(rng, setting) for _ in train]
    found = own_risks(setting, train, fresh) - other_risks(
        setting, train, others, fresh
    )
    return [{"truth": 0.0, "measured": found.mean(), "error": _error(found)}]


def _plan(setting, seed):
    wanted = 0.05 if setting.kind.startswith("gain") else -0.05
    rng = np.random.default_rng([11, seed, setting.n])
    other, fresh = other_source(rng, setting), draw(rng, setting, N_FRESH)

    def gains(flips, train, own):
        others = [with_flips(other, flips)] * len(train)
        return own - other_risks(setting, train, others, fresh)

    train = training_sets(rng, setting, 40)
    own = own_risks(setting, train, fresh)
    low, high = 0.0, 0.8
    for _ in range(7):  # the more flips, the less gain; on the same training sets
        flips = (low + high) / 2
        gain = gains(flips, train, own).mean()
        low, high = (flips, high) if gain > wanted else (low, flips)
    train = training_sets(rng, setting, 80)  # others, which chose nothing
    found = gains(flips, train, own_risks(setting, train, fresh))
    return {"seed": seed, "flips": flips, "truth": found.mean(), "error": _error(found)}


def _error(values):
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


# One run


def one_run(setting, plans, seed):
    """Return what `compare_strategies` says of one sample."""
    start = time.process_time()
    plan = plans[seed % len(plans)]
    rng = np.random.default_rng([1, seed, setting.n, setting.n_features])
    own = draw(rng, setting, setting.n)
    if setting.is_effect:
        fixed = np.random.default_rng([11, plan["seed"], setting.n])
        other = with_flips(other_source(fixed, setting), plan["flips"])
    else:
        other = other_source(rng, setting)
    X, y, source = stacked(own, other)
    groups = None
    if setting.by_persons:
        groups = in_order(X[:, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few rows
        comparison = compare_strategies(
            reference(setting),
            X,
            y,
            sample_source=source,
            primary_source="A",
            strategies=strategies_of(setting),
            scoring=_scoring(setting, seed),
            scaler=None,
            cv=N_FOLDS,
            n_repeats=N_REPEATS,
            groups=groups,
            random_state=seed,
            progress=False,
        )
    design = comparison.design
    return {
        "setting": setting.name,
        "seed": seed,
        "truth": plan["truth"],
        "loss": design.loss,
        "level": design.level,
        "contrasts": [_numbers(contrast) for contrast in comparison.contrasts],
        "seconds": time.process_time() - start,
    }


def _scoring(setting, seed):
    """Let three seeds of ten tell the scores of folds, and three the area."""
    if setting.kind not in ("null", "other features") or seed % 10 >= 6:
        return None
    by_fold = fold_log_loss if setting.model == "linear" else fold_brier_score
    return by_fold if seed % 10 < 3 else "roc_auc"


def fold_log_loss(model, X, y):
    p = np.clip(model.predict_proba(X), 1e-15, 1)
    return np.log(p[np.arange(len(y)), y]).mean()


def fold_brier_score(model, X, y):
    return -((model.predict_proba(X)[:, 1] - y) ** 2).mean()


def _numbers(contrast):
    return {
        "verdict": contrast.verdict,
        "gain": contrast.gain,
        "se": contrast.difference.se,
        "df": contrast.difference.df,
        "low": contrast.low,
        "high": contrast.high,
        "margin": contrast.margin,
        "reference": contrast.reference_loss,
        "score": [contrast.score_gain, contrast.score_low, contrast.score_high],
    }


# What the runs tell


def is_false(numbers, truth):
    """Tell whether the truth contradicts a verdict."""
    return {
        "helps": truth <= 0,
        "harms": truth >= 0,
        "does no harm": truth < -numbers["margin"],
    }.get(numbers["verdict"], False)


def is_wrong_sign(numbers, truth):
    """Tell whether a verdict has the sign that the truth has not."""
    verdict = numbers["verdict"]
    return (verdict == "helps" and truth < 0) or (verdict == "harms" and truth > 0)


def covers(numbers, truth):
    return numbers["low"] <= truth <= numbers["high"]


def share(flags):
    """Return a share with its Clopper-Pearson interval."""
    k, n = int(np.sum(flags)), len(flags)
    low = stats.beta.ppf(0.025, k, n - k + 1) if k else 0.0
    high = stats.beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    return {"share": k / n, "low": float(low), "high": float(high), "k": k, "n": n}


def naive(numbers):
    """Tell whether the plain and the corrected t on the scores of folds alarm.

    The corrected interval is what `compare_strategies` gives a metric without rows;
    the plain one has the variance of independent folds instead.
    """
    gain, low, high = numbers["score"]
    half = (high - low) / 2
    folds = N_FOLDS * N_REPEATS
    narrow = half / np.sqrt(1 + folds / (N_FOLDS - 1))
    return abs(gain) > narrow, abs(gain) > half


def summarized(runs):
    """Return the figures of a setting from its runs, of the first strategy."""
    every = [(run["contrasts"][0], run["truth"]) for run in runs]
    verdicts = [numbers["verdict"] for numbers, _ in every]
    strays = [numbers["gain"] - truth for numbers, truth in every]
    found = {
        "n": len(every),
        "false": share([is_false(*pair) for pair in every]),
        "wrong sign": share([is_wrong_sign(*pair) for pair in every]),
        "covers": share([covers(*pair) for pair in every]),
        "half-width": float(np.median([(c["high"] - c["low"]) / 2 for c, _ in every])),
        "95 % stray": float(np.quantile(np.abs(strays), 0.95)),
        "words": {word: share([v == word for v in verdicts]) for word in WORDS},
        "naive": None,
        "corrected": None,
        "auc": None,
    }
    scored = [run for run in runs if run["setting"].startswith(("null", "other"))]
    by_fold = [naive(r["contrasts"][0]) for r in scored if r["seed"] % 10 < 3]
    areas = [r["contrasts"][0]["score"] for r in scored if 3 <= r["seed"] % 10 < 6]
    if by_fold and areas:
        found["naive"] = share([plain for plain, _ in by_fold])
        found["corrected"] = share([corrected for _, corrected in by_fold])
        found["auc"] = share([not low <= 0 <= high for _, low, high in areas])
    return found


def power(one, setting):
    """Return how often the right word was found."""
    return one["words"]["helps" if setting.kind.startswith("gain") else "harms"]


def family(runs):
    """Return how often one of several strategies without difference is told apart."""
    alarms = {"all together": [], "Bonferroni": [], "each by itself": []}
    for run in runs:
        contrasts = run["contrasts"]
        p = [2 * stats.t.sf(abs(c["gain"]) / c["se"], c["df"]) for c in contrasts]
        words = [c["verdict"] for c in contrasts]
        alarms["all together"].append("helps" in words or "harms" in words)
        alarms["Bonferroni"].append(min(p) < 0.05 / len(p))
        alarms["each by itself"].append(min(p) < 0.05)
    used = {
        "all together": np.mean([run["level"] for run in runs]),
        "Bonferroni": 0.05 / len(runs[0]["contrasts"]),
        "each by itself": 0.05,
    }
    return {name: (float(used[name]), share(a)) for name, a in alarms.items()}


# Tables


def told(part):
    if part is None:
        return ""
    percent = [100 * part[key] for key in ("share", "low", "high")]
    return "{:.1f} [{:.1f}, {:.1f}]".format(*percent)


def null_table(found, plans, chosen):
    return [
        {
            "setting": s.name,
            "seeds": found[s.name]["n"],
            "fresh rows": _measured(plans[s.name][0]),
            "false claims, %": told(found[s.name]["false"]),
            "covers, %": told(found[s.name]["covers"]),
            "half-width": found[s.name]["half-width"],
            "95 % stray": found[s.name]["95 % stray"],
            "naive t, %": told(found[s.name]["naive"]),
            "corrected t, %": told(found[s.name]["corrected"]),
            "auc, %": told(found[s.name]["auc"]),
        }
        for s in chosen
    ]


def _measured(plan):
    if "measured" not in plan:
        return "0"
    return f"{plan['measured']:+.4f} ± {1.96 * plan['error']:.4f}"


def power_table(found, plans, chosen):
    return [
        {
            "setting": s.name,
            "true gain": " ".join(f"{p['truth']:+.3f}" for p in plans[s.name]),
            "seeds": found[s.name]["n"],
            "power, %": told(power(found[s.name], s)),
            "wrong sign, %": told(found[s.name]["wrong sign"]),
            "false claims, %": told(found[s.name]["false"]),
            "covers, %": told(found[s.name]["covers"]),
            "half-width": found[s.name]["half-width"],
            "95 % stray": found[s.name]["95 % stray"],
        }
        for s in chosen
    ]


def family_table(alarms):
    return [
        {"intervals": name, "level of each": f"{level:.4f}", "any false, %": told(part)}
        for name, (level, part) in alarms.items()
    ]


def words_table(found, chosen):
    return [
        {
            "setting": s.name,
            **{
                f"{word or 'none'}, %": f"{100 * part['share']:.1f}"
                for word, part in found[s.name]["words"].items()
            },
        }
        for s in chosen
    ]


def lines(found, plans, alarms, chosen):
    """Return the lines that a trustworthy rule must keep, and whether it does."""
    nulls = [s for s in chosen if s.is_main]
    other = [s for s in chosen if s.kind == "other features"]
    effects = [s for s in chosen if s.is_effect]
    large = [s for s in effects if s.n == SIZES[-1] and not s.is_strong]

    def of(key, settings):
        return [found[s.name][key] for s in settings]

    def may_cover(part):
        return part["high"] >= 0.92 and part["low"] <= 0.98

    both = [word for s in nulls for word in _signs(found[s.name])]
    found_power = [power(found[s.name], s) for s in large]
    truths = [abs(np.mean([p["truth"] for p in plans[s.name]])) for s in large]
    kept = {
        "null: lower bound of false claims <= 5 %": (
            all(part["low"] <= 0.05 for part in of("false", nulls)),
            _range(of("false", nulls)),
        ),
        "null: intervals cover 92 to 98 %": (
            all(0.92 <= part["share"] <= 0.98 for part in of("covers", nulls)),
            _range(of("covers", nulls)),
        ),
        "null: intervals cover 92 % or more": (
            all(part["share"] >= 0.92 for part in of("covers", nulls)),
            _range(of("covers", nulls)),
        ),
        "null: lower bound of either word <= 2.5 %": (
            all(part["low"] <= 0.025 for part in both),
            _range(both),
        ),
        "other features: lower bound of false claims <= 5 %": (
            all(part["low"] <= 0.05 for part in of("false", other)),
            _range(of("false", other)),
        ),
        "other features: cover 92 to 98 %, within chance": (
            all(map(may_cover, of("covers", other))),
            _range(of("covers", other)),
        ),
        "effects: cover 92 to 98 %, within chance": (
            all(map(may_cover, of("covers", effects))),
            _range(of("covers", effects)),
        ),
        "effects: wrong sign <= 2.5 %": (
            all(part["share"] <= 0.025 for part in of("wrong sign", effects)),
            _range(of("wrong sign", effects)),
        ),
        f"effects: power >= 80 % at n={SIZES[-1]}": (
            all(part["share"] >= 0.8 for part in found_power),
            _range(found_power),
        ),
        f"effects: mean true gain 0.05 +- 0.005 at n={SIZES[-1]}": (
            all(abs(truth - 0.05) <= 0.005 for truth in truths),
            f"{min(truths):.4f} to {max(truths):.4f}",
        ),
    }
    if alarms:
        part = alarms["all together"][1]
        kept["six strategies: lower bound of any false <= 5 %"] = (
            part["low"] <= 0.05,
            told(part),
        )
    return [
        {"line": line, "kept": "PASS" if good else "FAIL", "found, %": text}
        for line, (good, text) in kept.items()
    ]


def _signs(one):
    return one["words"]["helps"], one["words"]["harms"]


def _range(parts):
    shares = [100 * part["share"] for part in parts]
    return f"{min(shares):.1f} to {max(shares):.1f}"


# The order of work


def turns(every, done):
    """Yield the settings with their next seeds, all in step by share of work."""
    blocks = []
    for setting in every:
        for first in range(0, setting.seeds, AT_ONCE):
            seeds = range(first, min(first + AT_ONCE, setting.seeds))
            left = [seed for seed in seeds if (setting.name, seed) not in done]
            if left:
                blocks.append((first / setting.seeds, setting, left))
    yield from sorted(blocks, key=lambda block: block[0])


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1000, help="of each main null")
    parser.add_argument("--quick", action="store_true", help="40 seeds")
    parser.add_argument("--state", type=Path, help="file of finished runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--only", default="", help="settings whose name holds this")
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="run nothing")
    return parser.parse_args()


def read_state(path):
    """Return the plans and the runs that a file holds."""
    plans, runs = {}, []
    if path is not None and path.exists():
        for text in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(text)
            if "plans" in record:
                plans[record["setting"]] = record["plans"]
            else:
                runs.append(record)
    return plans, runs


def main():
    given = options()
    every = [
        setting
        for setting in settings(40 if given.quick else given.seeds)
        if given.only in setting.name
    ]
    plans, runs = read_state(given.state)

    def keep(records):
        if given.state is not None:
            with given.state.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(record) + "\n" for record in records)

    if not given.report:
        done = {(run["setting"], run["seed"]) for run in runs}
        parallel = Parallel(n_jobs=given.n_jobs)
        for _, setting, seeds in turns(every, done):
            if setting.name not in plans:
                plans[setting.name] = find_plans(setting)
                keep([{"setting": setting.name, "plans": plans[setting.name]}])
            of_these = plans[setting.name]
            more = parallel(delayed(one_run)(setting, of_these, s) for s in seeds)
            keep(more)
            runs += more
    tell(every, plans, runs, given.json)


def tell(every, plans, runs, path):
    by_name = {s.name: [r for r in runs if r["setting"] == s.name] for s in every}
    every = [s for s in every if by_name[s.name]]
    found = {name: summarized(own) for name, own in by_name.items() if own}
    effects = [s for s in every if s.is_effect]
    nulls = [s for s in every if not s.is_effect and s.kind != "six"]
    six = [run for s in every if s.kind == "six" for run in by_name[s.name]]
    alarms = family(six) if six else {}
    tables = []

    def table(title, rows):
        if rows:
            tables.append(report(title, rows))
            print(flush=True)

    table("No difference", null_table(found, plans, nulls))
    table("A true gain or loss of 0.05", power_table(found, plans, effects))
    table(f"Six strategies, no difference: {len(six)} seeds", family_table(alarms))
    table("The words", words_table(found, [*nulls, *effects]))
    if {s.name for s in every} >= {s.name for s in settings(1) if _decides(s)}:
        table("The lines", lines(found, plans, alarms, every))
    minutes = sum(run["seconds"] for run in runs) / 60
    print(f"{len(runs):,} runs, {minutes:.0f} minutes on one core")
    figures = [{"setting": asdict(s), **found[s.name]} for s in every]
    write_json(path, *tables, {"plans": plans, "figures": figures})


def _decides(setting):
    return setting.is_main or setting.is_effect or setting.kind == "other features"


if __name__ == "__main__":
    main()
