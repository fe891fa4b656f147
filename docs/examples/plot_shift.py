"""
How different are my datasets?
==============================

Red and white wines were measured by the same eleven instruments. Before one model
learns from both: what differs, does it matter, and what does scaling each wine by
its own measure take away?
"""

# %%
# The report
# ----------
#
# A line for each question. An alarm must be surer than chance and larger than 0.1,
# on a scale from 0 to 1; the number of rows alone never raises one.

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
# Dark bars are flagged, the grey behind them is what chance gives. Beside each bar
# stand the wines themselves.

report.plot()
plt.show()

# %%
# Ten of eleven features differ; only the alcohol is alike.
#
# Does it matter?
# ---------------
#
# The same distances, against what each feature says about the grade. Upper right
# stand the features to look at first: they differ, and a model relies on them.

report.plot(kind="importance")
plt.show()

# %%
# The feature that says most, alcohol, is the one that does not differ. That is good
# news for a merge: what is learnt of it from one wine is about the same range in the
# other. Volatile acidity and free sulfur dioxide are the ones to watch.
#
# After scaling
# -------------
#
# :class:`~sktandem.SourceScaler` measures each wine by its own mean and spread. The
# hollow dots are the distances before.

scaled = shift_report(X, y, sample_source=source, after=SourceScaler())
scaled.plot()
plt.show()

# %%
# Most distances are gone. The residual sugar keeps its own: white wines are dry or
# sweet, red ones dry, and no change of scale makes these shapes agree. Together the
# features still give the wine away:

print("AUC", round(report.joint.auc, 3), "before,", round(scaled.joint.auc, 3), "after")

# %%
# Relations between the features differ as well, and scaling one feature at a time
# leaves them alone. Whether any of this makes a merged model worse is another
# question, which held-out scores answer.
