"""
Does the second dataset help?
=============================

A hundred red wines, graded by tasters, and four thousand white ones. Is it worth
having the white wines to tell how good a red one is? And if there were three
hundred red wines, or a thousand?
"""

# %%
# A small cellar
# --------------
#
# Of the red wines we keep a hundred, as if no more had been tasted. The others
# stay in the cellar, to see in the end who was right.

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
# Three ways of using the white wines against the hundred red ones alone. A point
# right of the line is a gain; the grey band is what is too small to matter. The
# verdicts at the right follow from the interval and the band, and from nothing else.

ways = [Merged(), WeightedMerge(), StackedPrediction()]
comparison = compare_strategies(
    None,
    X[tasted],
    y[tasted],
    sample_source=wine[tasted],
    primary_source="red",
    strategies=ways,
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
# The wines in the cellar are ten times as many. Each way is fitted on the hundred
# and scored on them. Whoever had believed the point rather than the interval would
# have taken the weighted merge, for nothing.

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
# With all red wines to draw from, the same question at every size. The shades
# are the intervals of the difference from the red wines' own model.

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
# :class:`~sktandem.Tandem` mixes the ways, with weights that the hundred wines choose.

blend = Tandem(Ridge(), random_state=0)
blend.fit(X[tasted], y[tasted], sample_source=wine[tasted])
scores = score_by_source(
    blend, X[cellar], y[cellar], sample_source=wine[cellar], scoring="r2"
)
print(blend.gain_.summary())
print(f"R2 on the cellar: {scores.by_source['red']:.3f}")
_ = blend.gain_.plot()
