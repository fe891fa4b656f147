"""Fits a way of another package; it runs in that package's environment.

Needs numpy, scikit-learn and the package. Reads the paths of files of arrays from
standard input, and tells of each in a line of JSON.
"""

import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from memory import memory  # of this folder: the package around it is not there
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge

N_FITS = 36  # as many as the blend spends


class Job:
    """The arrays of a file, and the learner."""

    def __init__(self, path):
        given = np.load(path)
        self.X, self.y, self.source = given["X"], given["y"], given["source"]
        self.X_test, self.source_test = given["X_test"], given["source_test"]
        self.way, self.learner = str(given["way"]), str(given["learner"])
        self.task, self.seed = str(given["task"]), int(given["seed"])
        self.classes = self.task == "classification"
        self.n_classes = int(self.y.max()) + 1 if self.classes else 1

    def base(self):
        if self.learner == "linear":
            if self.task == "counts":
                return PoissonRegressor(max_iter=300)
            return LogisticRegression(max_iter=1000) if self.classes else Ridge()
        if self.classes:
            return HistGradientBoostingClassifier(max_iter=60, random_state=0)
        loss = "poisson" if self.task == "counts" else "squared_error"
        return HistGradientBoostingRegressor(loss=loss, max_iter=60, random_state=0)

    def answers_of(self, model, X, n_own, **given):
        """Return probabilities or numbers; of a model without, votes with n + 1."""
        if not self.classes:
            return np.ravel(model.predict(X, **given))
        if hasattr(model, "predict_proba"):
            found = np.asarray(model.predict_proba(X, **given))
            if found.ndim == 2 and found.shape[1] == self.n_classes:
                return found
        votes = np.eye(self.n_classes)[np.ravel(model.predict(X, **given)).astype(int)]
        return (n_own * votes + 1) / (n_own + self.n_classes)

    def by_source(self, fit):
        """Fit for each source anew: its rows, and those of the others."""
        shape = (len(self.X_test), self.n_classes)
        answers = np.empty(shape if self.classes else shape[:1])
        for code in np.unique(self.source_test):
            own, asked = self.source == code, self.source_test == code
            model, given = fit(self, own)
            answers[asked] = self.answers_of(
                model, self.X_test[asked], own.sum(), **given
            )
        return answers


def lego(job):
    from sklego.meta import (
        GroupedClassifier,
        GroupedRegressor,
        HierarchicalClassifier,
        HierarchicalRegressor,
    )

    X = np.column_stack([job.source, job.X])
    X_test = np.column_stack([job.source_test, job.X_test])
    if job.way == "lego grouped":
        kind = GroupedClassifier if job.classes else GroupedRegressor
        model = kind(job.base(), groups=[0])
    else:
        kind = HierarchicalClassifier if job.classes else HierarchicalRegressor
        model = kind(job.base(), groups=[0], shrinkage="relative")
    return job.answers_of(model.fit(X, job.y), X_test, len(X))


def mixed_lm(job):
    from scipy.linalg import qr
    from statsmodels.regression.mixed_linear_model import MixedLM

    X = np.column_stack([np.ones(len(job.X)), job.X])
    _, r, order = qr(X, mode="economic", pivoting=True)
    size = np.abs(np.diag(r))
    kept = np.sort(order[: int((size > 1e-8 * size[0]).sum())])  # independent columns
    model = MixedLM(job.y, X[:, kept], groups=job.source).fit()
    X_test = np.column_stack([np.ones(len(job.X_test)), job.X_test])[:, kept]
    shift = {code: float(np.ravel(e)[0]) for code, e in model.random_effects.items()}
    return X_test @ model.fe_params + [shift[code] for code in job.source_test]


def gpboost(job):
    """Fit an effect of the source beside a linear rule, or beside boosted trees."""
    import gpboost as gpb

    if job.n_classes > 2:
        raise ValueError("left out: it has no likelihood of more than two classes")
    likelihoods = {"classification": "bernoulli_logit", "counts": "poisson"}
    effect = gpb.GPModel(
        group_data=job.source, likelihood=likelihoods.get(job.task, "gaussian")
    )
    y = job.y.astype(float)
    if job.learner == "linear":
        one, one_test = np.ones((len(y), 1)), np.ones((len(job.X_test), 1))
        effect.fit(y=y, X=np.hstack([one, job.X]))
        answers = effect.predict(
            group_data_pred=job.source_test,
            X_pred=np.hstack([one_test, job.X_test]),
            predict_response=True,
        )["mu"]
    else:
        told = {"num_threads": 1, "seed": job.seed, "verbose": -1}
        trees = gpb.train(told, gpb.Dataset(job.X, y), 60, gp_model=effect)
        answers = trees.predict(
            data=job.X_test, group_data_pred=job.source_test, pred_latent=False
        )["response_mean"]
    return np.column_stack([1 - answers, answers]) if job.classes else answers


def merf(job):
    import pandas as pd
    from merf import MERF

    largest = np.bincount(job.source).max()
    if largest > 400:
        raise ValueError(f"left out: it inverts a matrix of {largest} rows, again")
    model = MERF(job.base(), max_iterations=5)
    clusters, tested = pd.Series(job.source), pd.Series(job.source_test)
    model.fit(job.X, np.ones((len(job.X), 1)), clusters, job.y)
    return model.predict(job.X_test, np.ones((len(job.X_test), 1)), tested)


def skada(job):
    import skada as package

    kinds = {
        "skada reweighted": package.DensityReweightAdapter,
        "skada CORAL": package.CORALAdapter,
        "skada subspace": package.SubspaceAlignmentAdapter,
    }

    def fit(job, own):
        # All rows with their labels are the domain to learn from; the source's own
        # come again without labels, as the domain to adapt to.
        X = np.vstack([job.X, job.X[own]])
        masked = np.full(own.sum(), -1 if job.classes else np.nan)
        domain = np.repeat([1, -2], [len(job.X), own.sum()])
        base = job.base()
        if job.way == "skada reweighted":
            base = base.set_fit_request(sample_weight=True)
        model = package.make_da_pipeline(kinds[job.way](), base)
        model.fit(X, np.concatenate([job.y, masked]), sample_domain=domain)
        return model, {}

    return job.by_source(fit)


def adapt(job):
    return job.by_source(_adapted)


class AdaptProba:
    """The probabilities of what ADAPT fitted, which answers in classes alone."""

    def __init__(self, model, boosted):
        self.model, self.boosted = model, boosted

    def predict(self, X):
        return self.model.predict(X)

    def predict_proba(self, X):
        if self.boosted:  # as its predict, which takes the largest
            half = len(self.model.estimators_) // 2
            weights = np.asarray(self.model.estimator_weights_[half:])
            parts = [e.predict_proba(X) for e in self.model.estimators_[half:]]
            return np.tensordot(weights / weights.sum(), np.stack(parts), axes=1)
        if hasattr(self.model, "transform"):
            X = self.model.transform(X, domain="tgt")
        return self.model.estimator_.predict_proba(X)


def _adapted(job, own):
    model = _fitted_by_adapt(job, own)
    if job.classes:
        model = AdaptProba(model, job.way == "adapt TrAdaBoost")
    return model, {}


def _fitted_by_adapt(job, own):
    from adapt.feature_based import CORAL, FA, PRED
    from adapt.instance_based import BalancedWeighting, TrAdaBoost, TrAdaBoostR2
    from adapt.parameter_based import RegularTransferLR

    others, mine = (job.X[~own], job.y[~own]), (job.X[own], job.y[own])
    told = {"verbose": 0, "random_state": job.seed}
    if job.way == "adapt transfer":
        if job.learner != "linear" or job.task != "regression":
            raise ValueError("for linear regression; its classifier has no proba")
        return RegularTransferLR(job.base().fit(*others), *mine, **told).fit()
    if job.way == "adapt CORAL":
        # Without labels of the target: the source's own rows train as well.
        return CORAL(job.base(), Xt=mine[0], **told).fit(job.X, job.y)
    kinds = {
        "adapt augmented": FA,
        "adapt PRED": PRED,
        "adapt balanced": BalancedWeighting,
        "adapt TrAdaBoost": TrAdaBoost if job.classes else TrAdaBoostR2,
    }
    given = {"Xt": mine[0], "yt": mine[1], **told}
    if job.way == "adapt TrAdaBoost":
        given["n_estimators"] = N_FITS
    return kinds[job.way](job.base(), **given).fit(*others)


def combat(job):
    import pandas as pd
    from combatlearn import ComBat

    varies = job.X.std(axis=0) > 1e-6
    both = pd.DataFrame(np.vstack([job.X, job.X_test])[:, varies])
    batch = np.concatenate([job.source, job.source_test]).astype(str)
    train = np.arange(len(both)) < len(job.X)
    harmony = ComBat(batch=pd.Series(batch, index=both.index)).fit(both[train])
    X = np.asarray(harmony.transform(both))
    model = job.base().fit(X[train], job.y)
    return job.answers_of(model, X[~train], len(job.X))


FITS = {
    "lego grouped": lego, "lego hierarchical": lego, "MixedLM": mixed_lm, "MERF": merf,
    "GPBoost": gpboost,
    "skada reweighted": skada, "skada CORAL": skada, "skada subspace": skada,
    "adapt augmented": adapt, "adapt PRED": adapt, "adapt CORAL": adapt,
    "adapt balanced": adapt, "adapt TrAdaBoost": adapt, "adapt transfer": adapt,
    "ComBat": combat,
}  # fmt: skip


def main():
    warnings.simplefilter("ignore")
    # What a package prints must not come between the lines.
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        path = Path(line.strip())
        try:
            job = Job(path)
            before = memory(anew=True)
            start = time.perf_counter()
            answers = FITS[job.way](job)
            found = {"seconds": time.perf_counter() - start}
            found["memory"] = memory() - before
            np.save(path.with_name("answers.npy"), answers)
        except Exception as error:
            text = (str(error).strip().splitlines() or [""])[0]
            found = {"error": f"{type(error).__name__}: {text}"[:200]}
        print(json.dumps(found), file=said, flush=True)


main()
