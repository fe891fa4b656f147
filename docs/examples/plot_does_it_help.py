"""
Does the second dataset help?
=============================

You have a hundred red wines, graded by tasters, and four thousand white ones. Do the
white wines help to predict how good a red one is? And if you had three hundred red
wines, or a thousand?
"""

# sphinx_gallery_thumbnail_number = 2

# %%
# A small cellar
# --------------
#
# We keep a hundred of the red wines, as if no more had been tasted. The others stay in
# the cellar, to check the answer in the end.

import numpy as np

from sktandem import Merged, Tandem
from sktandem.datasets import load_wine_quality
from sktandem.members import OwnModels, StackedPrediction, WeightedMerge
from sktandem.model_selection import (
    compare_strategies,
    learning_curve_by_source,
    score_by_source,
)

X, y, wine = load_wine_quality(return_X_y=True)
red = np.random.default_rng(0).permutation(np.flatnonzero(wine == "red"))
tasted = np.sort(np.concatenate([red[:100], np.flatnonzero(wine == "white")]))
cellar = red[100:]

# %%
# Ask, and look at the intervals
# ------------------------------
#
# Three ways of using the white wines, compared with the hundred red ones alone. Right
# of the line is a gain; the grey band is too small to matter. The verdicts follow from
# the interval and the band alone.

ways = [Merged(), WeightedMerge(), StackedPrediction()]
comparison = compare_strategies(
    None,
    X[tasted],
    y[tasted],
    sample_source=wine[tasted],
    primary_source="red",
    strategies=ways,
    n_repeats=5,  # surer than the default of 1, in five times the time
    random_state=0,
    progress=False,
)
_ = comparison.plot()

# %%

print(comparison.summary())

# %%
# Who was right?
# --------------
#
# There are ten times as many wines in the cellar. Each way is fitted on the hundred and
# scored on them. If you had believed the point rather than the interval, you would have
# taken the weighted merge, for nothing.

from sklearn.base import clone
from sklearn.linear_model import Ridge

for way in [OwnModels(), *ways]:
    model = clone(way).set_params(estimator=Ridge(), random_state=0)
    model.fit(X[tasted], y[tasted], sample_source=wine[tasted])
    scores = score_by_source(
        model, X[cellar], y[cellar], sample_source=wine[cellar], scoring="r2"
    )
    print(f"{type(way).__name__:<17} {scores.by_source['red']:.3f}")

# %%
# How the help fades
# ------------------
#
# The same question for every number of red wines. The bands are intervals of the
# difference from the red wines' own model.

curve = learning_curve_by_source(
    None,
    X,
    y,
    sample_source=wine,
    primary_source="red",
    strategies=[Merged(), WeightedMerge()],
    train_sizes=(50, 100, 300, 1000),
    n_repeats=2,
    random_state=0,
    progress=False,
)
_ = curve.plot()

# %%
# Or blend them all
# -----------------
#
# :class:`~sktandem.Tandem` blends the ways, with weights chosen on the hundred wines.

blend = Tandem(Ridge(), random_state=0)
blend.fit(X[tasted], y[tasted], sample_source=wine[tasted])
scores = score_by_source(
    blend, X[cellar], y[cellar], sample_source=wine[cellar], scoring="r2"
)
print(blend.gain_.summary())
print(f"R2 on the cellar: {scores.by_source['red']:.3f}")
_ = blend.gain_.plot()
