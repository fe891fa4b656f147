"""What must hold of every call, whatever it is given."""

import inspect
import linecache
import pickle
import random
import re
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import sklearn
import sympy  # noqa: F401  torch does on first use, which adds a warning filter
import torch
from fuzz_data import fingerprint, take
from sklearn.base import clone
from sklearn.naive_bayes import GaussianNB

import sktandem
from sktandem.exceptions import SourceError, SourceWarning

OURS = str(Path(sktandem.__file__).parent)
FAILED = object()
REFIT = "refit"  # with one target too few: is to fail
SHOWS = ("__repr__", "_repr_html_", "to_frame", "summary", "to_html", "to_markdown")
DEAR = ("_repr_html_", "to_html")  # they draw pictures: half a second each
LAWFUL = (ValueError, TypeError, ImportError)


@dataclass
class Case:
    """One case: what is drawn, and the faults that were found."""

    number: int
    entry: str
    rng: np.random.Generator
    told: list[str] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    raised: str = ""  # the first lawful error
    seeded: bool = True  # if not, random states move and two calls differ
    loud: bool = False

    def fault(self, kind, detail):
        self.faults.setdefault(f"{kind}: {scrub(detail)}", detail)


def scrub(text):
    """Leave out what differs from case to case: numbers, and what is quoted."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\([^)]*\)", "…", text)
    return re.sub(r"(?<![.\w:])-?\d[\d.,e+-]*", "#", text)[:220]


def state():
    """Return all that a call must leave as it was."""
    return {
        "numpy's seed": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "torch's seed": torch.get_rng_state().numpy().tobytes(),
        "random's seed": hash(random.getstate()),
        "scikit-learn's settings": repr(sklearn.get_config()),
        "numpy's errors": np.geterr(),
        "torch's dtype": torch.get_default_dtype(),
        "torch's threads": torch.get_num_threads(),
        "torch's gradients": torch.is_grad_enabled(),
        "warning filters": list(warnings.filters),
    }


def call(case, step, function, *, given=(), estimator=None):
    """Call, and look at all that may have gone wrong; FAILED if it raised.

    `given` must not be changed, and an `estimator` whose call fails must stay as it
    was.
    """
    prints = [fingerprint(value) for value in given]
    attributes = dict(vars(estimator)) if estimator is not None else {}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        before = state()
        try:
            result = function()
        except Exception as error:
            result = FAILED
            judge(case, step, error)
        after = state()
    for what, was in before.items():
        if after[what] != was and (case.seeded or "seed" not in what):
            case.fault("global state", f"{step} changes {what}")
    for value, was in zip(given, prints):
        if fingerprint(value) != was:
            case.fault("changed input", f"{step} changes a {type(value).__name__}")
    if result is FAILED and hasattr(estimator, "source"):  # not of scikit-learn
        now = vars(estimator)
        if now.keys() != attributes.keys() or any(
            now[key] is not value for key, value in attributes.items()
        ):
            case.fault("half-fitted", f"{step} leaves {set(now) - set(attributes)}")
    ours = [w for w in seen if issubclass(w.category, SourceWarning)]
    for text, times in Counter(str(w.message) for w in ours).items():
        if times > 1:
            case.fault("repeated warning", f"{step}, {times} times: {text}")
    for warning in seen:
        here = warning.filename.startswith(OURS)
        if here and issubclass(warning.category, (RuntimeWarning, FutureWarning)):
            place = f"{short(warning.filename)}:{warning.lineno}"
            case.fault("stray warning", f"{place}: {warning.message}")
    return result


def short(path):
    return re.sub(r".*/(site-packages|src)/", "", path)


def judge(case, step, error):
    """Tell an error that was meant from one that slipped through.

    It is meant if it stands in a `raise` of ours or of scikit-learn's, or if
    scikit-learn's own validation converts what cannot be converted. Of an object of
    scikit-learn, such as a pipeline made here, errors are its own.
    """
    frames = traceback.extract_tb(error.__traceback__)
    known = [f for f in frames if re.search("/(sktandem|sklearn)/", f.filename)]
    last = known[-1] if known else frames[-1]
    line = linecache.getline(last.filename, last.lineno or 0).strip()
    meant = last is frames[-1] and line.startswith("raise")
    meant |= "/sklearn/utils/" in last.filename
    within = any(f.filename.startswith(OURS) for f in frames)
    meant |= "/sklearn/" in last.filename and not within
    meant |= "Floating-point under-/overflow" in str(error)  # of SGD, compiled
    lawful = isinstance(error, LAWFUL) or not within
    meant = isinstance(error, SourceError) or (lawful and meant)
    if meant and step not in SHOWS:
        case.raised = case.raised or ("" if step == REFIT else f"{step}: {error}")
        return
    if case.loud:
        traceback.print_exception(error)
    ours = [f for f in frames if f.filename.startswith(OURS)] or [last]
    place = f"{short(ours[-1].filename)}:{ours[-1].lineno}"
    case.fault("foreign error", f"{place} {type(error).__name__}: {error}")


def same(one, other):
    """Tell whether two answers are equal, up to rounding."""
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape:
        return False
    if one.dtype.kind not in "fc":
        return bool(np.all(one.astype(str) == other.astype(str)))  # nan is nan
    size = np.max(np.abs(one[np.isfinite(one)]), initial=1e-12)
    return bool(np.allclose(one, other, rtol=1e-5, atol=1e-5 * size, equal_nan=True))


def takes(model, name):
    return name in inspect.signature(model.fit).parameters


def dense(values):
    return values.toarray() if hasattr(values, "toarray") else np.asarray(values)


def check_estimator(case, model, data, other, method="predict"):
    """Fit and ask, of rows of `other` data too; what holds of every estimator."""
    rng = case.rng
    params = {k: v for k, v in data.fit_params().items() if takes(model, k)}

    def fit(which):
        return which.fit(data.X, data.y, **params)

    given = data.given
    fitted = call(case, "fit", lambda: fit(model), given=given, estimator=model)
    if fitted is FAILED:
        return
    if fitted is not model:
        case.fault("law", "fit does not return the estimator")
    if method == "predict" and hasattr(model, "predict_proba"):
        method = "predict_proba"

    def ask(which, rows=None):
        at = {k: v for k, v in params.items() if k == "sample_source"}
        X = data.X if rows is None else take(data.X, rows)
        at = at if rows is None else {k: take(v, rows) for k, v in at.items()}
        return dense(getattr(which, method)(X, **at))

    answers = call(case, method, lambda: ask(model), given=given, estimator=model)
    if answers is FAILED:
        return
    if len(answers) != data.n:
        case.fault("law", f"{method} gives {len(answers)} rows of {data.n}")
    numbers = method != "transform" and answers.dtype.kind == "f"
    # Where all columns are constant it divides by a variance of 0, alone as in a merge.
    numbers &= not isinstance(getattr(model, "estimator", None), GaussianNB)
    if numbers and not np.isfinite(answers).all():
        case.fault("law", f"{method} is not finite")
    order, half = rng.permutation(data.n), data.n // 2

    def batches():
        parts = np.arange(half), np.arange(half, data.n)
        return np.concatenate([ask(model, part) for part in parts if len(part)])

    laws = {
        "order": lambda: same(ask(model, order), answers[order]),
        "batches": lambda: same(batches(), answers) if half else True,
        "pickle": lambda: same(ask(pickle.loads(pickle.dumps(model))), answers),
    }
    if case.seeded:
        laws["second fit"] = lambda: same(ask(fit(clone(model))), answers)
    for law, holds in laws.items():
        if not call(case, law, holds, given=given):  # FAILED is true: told already
            case.fault("law", f"{method} differs by {law}")
    if hasattr(model, "score"):
        call(case, "score", lambda: model.score(data.X, data.y, **params), given=given)
    show(case, model)
    at = {"sample_source": other.source} if "sample_source" in params else {}
    strange = call(
        case,
        "other data",
        lambda: dense(getattr(model, method)(other.X, **at)),
        given=other.given,
        estimator=model,
    )
    if strange is not FAILED and len(strange) != other.n:
        case.fault("law", f"{method} gives {len(strange)} rows of {other.n}")
    again = pickle.dumps(getattr(model, "sources_", None))
    short_y = take(data.y, np.arange(max(data.n - 1, 0)))
    refit = call(
        case,
        REFIT,
        lambda: model.fit(data.X, short_y, **params),
        given=given,
        estimator=model,
    )
    if refit is FAILED and pickle.dumps(getattr(model, "sources_", None)) != again:
        case.fault("half-fitted", "a failed refit changes sources_")


def show(case, result):
    """Show a result in each of its ways, which no input excuses from."""
    skipped = DEAR if case.rng.random() < 0.75 else ()
    for way in SHOWS:
        if hasattr(result, way) and way not in skipped:
            call(case, way, getattr(result, way))


def check_call(case, function, given):
    """Call twice, and show the result in each of its ways; return it."""
    result = call(case, case.entry, function, given=given)
    if result is FAILED:
        return result
    show(case, result)
    again = call(case, "a second time", function, given=given)
    if case.seeded and again is not FAILED and str(again) != str(result):
        case.fault("law", "two calls differ")
    return result
