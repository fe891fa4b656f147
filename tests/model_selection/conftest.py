"""What several tests of comparisons need."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin


class Diary(ClassifierMixin, BaseEstimator):
    """Write down which rows were trained on and asked for."""

    pages = []  # noqa: RUF012

    def fit(self, X, y, sample_source=None):
        self.classes_ = np.unique(y)
        self.trained_ = X[:, 0].astype(int), sample_source
        return self

    def predict(self, X):
        self.pages.append((*self.trained_, X[:, 0].astype(int)))
        return np.full(len(X), self.classes_[0])


@pytest.fixture
def diary(monkeypatch):
    """Return an estimator whose pages are rows trained on, sources, rows asked."""
    monkeypatch.setattr(Diary, "pages", [])
    return Diary()
