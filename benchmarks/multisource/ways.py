"""The ways of using several sources, each as an estimator that takes sample_source."""

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.ensemble import HistGradientBoostingClassifier as BoostedClassifier
from sklearn.ensemble import HistGradientBoostingRegressor as BoostedRegressor
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge

from sktandem import Merged, Tandem, table_preprocessor
from sktandem.members import (
    OtherSources,
    OwnModels,
    SimilarityWeighted,
    StackedOwnModels,
    StackedPrediction,
    WeightedMerge,
)

N_BAGS = 36  # six members of the blend, on five folds and on all rows
LEARNERS = ("linear", "boosted", "net")
OWN, BLEND, CHOOSE, CONTROL = "own", "blend", "choose", "own, bagged"
# Fits of one model on all rows and on the rows of one source, by sources; a way that
# spends more than MOST_FITS of them is left out, and its row says so.
MOST_FITS = {"linear": 700, "boosted": 300, "net": 100}


class LightGBM(BaseEstimator):
    """One model of all rows that has the source as a category."""

    def __init__(self, task, scaler, seed):
        self.task, self.scaler, self.seed = task, scaler, seed

    def fit(self, X, y, sample_source):
        from lightgbm import LGBMClassifier, LGBMRegressor

        classes = self.task == "classification"
        settings = {"n_estimators": 60, "verbose": -1, "n_jobs": 1}
        settings["random_state"] = self.seed
        if self.task == "counts":
            settings["objective"] = "poisson"
        self.names_ = np.unique(sample_source)
        self.scaler_ = None
        if self.scaler != "standard":
            self.scaler_ = table_preprocessor().fit(X)
        self.model_ = (LGBMClassifier if classes else LGBMRegressor)(**settings)
        self.model_.fit(self._with(X, sample_source), y, categorical_feature=[0])
        self.classes_ = self.model_.classes_ if classes else None
        return self

    def _with(self, X, source):
        X = np.asarray(X if self.scaler_ is None else self.scaler_.transform(X))
        return np.column_stack([np.searchsorted(self.names_, source), X]).astype(float)

    def predict(self, X, sample_source):
        return self.model_.predict(self._with(X, sample_source))

    def predict_proba(self, X, sample_source):
        return self.model_.predict_proba(self._with(X, sample_source))


def _merged(**settings):
    return lambda s: Merged(
        s.estimator, scaler=s.scaler, random_state=s.seed, **settings
    )


def _member(kind, **settings):
    def make(s):
        return kind(s.estimator, scaler=s.scaler, random_state=s.seed, **settings)

    return make


def _bagged(s):
    """Own models, each the mean of as many as the blend fits."""
    kind = BaggingClassifier if is_classifier(s.estimator) else BaggingRegressor
    model = kind(s.estimator, N_BAGS, random_state=s.seed)
    return OwnModels(model, scaler=s.scaler)


def _net(**settings):
    def make(s):
        from sktandem import SharedNet  # loads torch

        net = {"scaler": s.scaler, "random_state": s.seed, **settings}
        return SharedNet(s.estimator, **net)

    return make


def _bagged_nets(s):
    """Own nets, each the mean of as many as the blend fits, of three members."""
    from sktandem import SharedNet  # loads torch

    net = SharedNet(s.estimator, scaler=None)
    kind = BaggingClassifier if is_classifier(net) else BaggingRegressor
    return OwnModels(kind(net, N_BAGS // 2, random_state=s.seed), scaler=s.scaler)


# By name: what makes it, and how many fits it takes, of s sources.
WAYS = {
    OWN: (_member(OwnModels), lambda s: s),
    "other sources": (_member(OtherSources), lambda s: s),
    "merged": (_merged(), lambda s: 1),
    "with indicator": (_merged(representation="indicator"), lambda s: 1),
    "balanced": (_merged(balance="sources"), lambda s: 1),
    "augmented": (_merged(representation="augmented"), lambda s: 1),
    "features scaled": (_merged(scale_by="source"), lambda s: 1),
    "target scaled": (_merged(scale_target_by="source"), lambda s: 1),
    "both scaled": (_merged(scale_by="source", scale_target_by="source"), lambda s: 1),
    "weighted": (_member(WeightedMerge), lambda s: 26 * s),
    "own as a feature": (_member(StackedOwnModels), lambda s: 6 * s + 1),
    "others as a feature": (_member(StackedPrediction), lambda s: 2 * s),
    "similarity": (_member(SimilarityWeighted), lambda s: 7 * s),
    BLEND: (_member(Tandem), lambda s: 33 + 8 * s),
    # As dear as the blend, and of less interest: left out earlier.
    CHOOSE: (_member(Tandem, combine="choose"), lambda s: 2 * (33 + 8 * s)),
    CONTROL: (_bagged, lambda s: N_BAGS * s / 4),  # of few rows each
}
ONLY_BOOSTED = {
    "LightGBM": (lambda s: LightGBM(s.task, s.scaler, s.seed), lambda s: 1),
}
OF_NETS = {
    OWN: (_member(OwnModels), lambda s: s),
    "merged": (_net(schedule="shuffled"), lambda s: 1),
    "in turns by batches": (_net(schedule="batches"), lambda s: 1),
    "in turns by epochs": (_net(schedule="epochs"), lambda s: 1),
    "a head for each": (_net(heads="source"), lambda s: 1),
    BLEND: (_member(Tandem), lambda s: 12 + 6 * s),
    CONTROL: (_bagged_nets, lambda s: N_BAGS * s / 2),
}


def ways_of(learner):
    """Return the ways of a learner by name."""
    if learner == "net":
        return OF_NETS
    return {**WAYS, **(ONLY_BOOSTED if learner == "boosted" else {})}


def estimator_for(learner, task):
    """Return the base learner of a task."""
    classes = task == "classification"
    if learner == "net":
        from sktandem.nn import default_net

        return default_net("classification" if classes else "regression", verbose=0)
    if learner == "linear":
        if task == "counts":
            return PoissonRegressor(max_iter=300)
        return LogisticRegression(max_iter=1000) if classes else Ridge()
    if classes:
        return BoostedClassifier(max_iter=60, random_state=0)
    loss = "poisson" if task == "counts" else "squared_error"
    return BoostedRegressor(loss=loss, max_iter=60, random_state=0)


def scaler_for(train, test):
    """Return the scaling of numbers, or what prepares a table with gaps or words."""
    mixed = any(kind.kind not in "fiu" for kind in getattr(train, "dtypes", ()))
    gaps = any(np.any(X != X) for X in (train, test))
    return table_preprocessor() if mixed or gaps else "standard"
