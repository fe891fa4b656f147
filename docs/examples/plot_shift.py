"""
How different are my datasets?
==============================

Red and white wines were measured by the same eleven instruments. Before one model
learns from both: what differs, does it matter, and what does scaling each wine
separately remove?
"""

# %%
# The report
# ----------
#
# One line for each question. An alarm means that a difference is significant and larger
# than 0.1 on a scale from 0 to 1, so a large number of rows alone never raises one.

import matplotlib.pyplot as plt

from sktandem import SourceScaler
from sktandem.datasets import load_wine_quality
from sktandem.shift import shift_report

wine = load_wine_quality(as_frame=True)
X, y, source = wine.data, wine.target, wine.sample_source
report = shift_report(X, y, sample_source=source)
print(report)

# %%
# What differs
# ------------
#
# Dark bars are flagged; the grey behind them is what chance alone would give. The
# values of each wine are beside the bars.

report.plot()
plt.show()

# %%
# Ten of eleven features differ; only alcohol is alike.
#
# Does it matter?
# ---------------
#
# The same distances, against what each feature says about the grade. Look at the upper
# right first: those features differ, and a model relies on them.

report.plot(kind="importance")
plt.show()

# %%
# Alcohol, the most informative feature, is the one that does not differ. That is good
# news for a merge. Volatile acidity and free sulfur dioxide are the ones to watch.
#
# After scaling
# -------------
#
# :class:`~sktandem.SourceScaler` scales each wine by its own mean and spread. Hollow
# dots are the distances before.

scaled = shift_report(X, y, sample_source=source, after=SourceScaler())
scaled.plot()
plt.show()

# %%
# Most distances are gone. Residual sugar keeps its own: white wines are dry or sweet,
# red ones are dry, and no change of scale makes these distributions agree. Together the
# features still give the wine away:

print("AUC", round(report.joint.auc, 3), "before,", round(scaled.joint.auc, 3), "after")

# %%
# The correlations between features differ as well, and scaling one feature at a time
# does not change them. Whether any of this makes a merged model worse is a question for
# held-out scores.
