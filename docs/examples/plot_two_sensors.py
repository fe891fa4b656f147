"""
Two sensors, recordings of unequal length
=========================================

A sensor at the wrist has been worn often, one at the hip a few times. Each recording is
a walk of some length. One recurrent net learns from both.
"""

# %%
# Two sensors
# -----------
#
# Three channels, 15 to 60 readings. Who goes upstairs lifts the foot fast and sets it
# down slowly, downstairs it is the reverse, and running is faster than walking. The hip
# sensor is mounted at an angle of its own and moves less.

import matplotlib.pyplot as plt
import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import nn

from sktandem import SharedNet, stack_sources
from sktandem.model_selection import score_by_source
from sktandem.nn import pad_sequences

GAITS = ["downstairs", "running", "upstairs", "walking"]
MOUNTED = {
    "wrist": np.eye(3),
    "hip": np.array([[0.7, 0.35, -0.2], [-0.4, 0.7, 0.1], [0.1, -0.2, 0.8]]),
}


def recording(rng, sensor, gait):
    """Return the readings of one walk, an array of shape (length, 3)."""
    period = rng.uniform(5, 7) if gait == "running" else rng.uniform(8, 12)
    phase = 2 * np.pi * (np.arange(rng.integers(15, 61)) / period + rng.uniform())
    skew = {"upstairs": 1.2, "downstairs": -1.2}.get(gait, 0.0)
    swing = np.sin(phase + skew * np.sin(phase))
    channels = [swing, 0.6 * np.sin(2 * phase + 1), 0.5 * np.roll(swing, 2)]
    moved = rng.uniform(0.7, 1.3) * np.stack(channels, axis=1) @ MOUNTED[sensor]
    return (moved + rng.normal(scale=0.4, size=moved.shape)).astype(np.float32)


def recordings(rng, sensor, n):
    """Return a list of recordings, and what was done in each."""
    gaits = rng.choice(GAITS, size=n)
    return [recording(rng, sensor, gait) for gait in gaits], gaits


rng = np.random.default_rng(0)
X, y, sensor = stack_sources(
    {"wrist": recordings(rng, "wrist", 400), "hip": recordings(rng, "hip", 24)}
)
X_test, y_test, sensor_test = stack_sources(
    {name: recordings(rng, name, 200) for name in ("wrist", "hip")}
)
print(X, [walk.shape for walk in X[:3]])

figure, axes = plt.subplots(4, 2, figsize=(8, 5), sharex=True, sharey=True)
for column, name in zip(axes.T, ("wrist", "hip")):
    column[0].set_title(f"{name}, {np.sum(sensor == name)} recordings")
    for ax, gait in zip(column, GAITS):
        ax.plot(X[(sensor == name) & (y == gait)][0], linewidth=1)
for ax, gait in zip(axes[:, 0], GAITS):
    ax.set_ylabel(gait)
figure.tight_layout()

# %%
# A net that is told the lengths
# ------------------------------
#
# ``collate=pad_sequences`` makes a batch of recordings: ``X`` with zeros behind their
# ends, and their ``lengths``, by which the module leaves the zeros out. Batches hold
# recordings of like length, so that few zeros are needed.


class Gait(nn.Module):
    """A GRU, and the mean of what it says over each recording."""

    def __init__(self, n_outputs=4):
        super().__init__()
        self.gru = nn.GRU(3, 24, batch_first=True)
        self.out = nn.Linear(24, n_outputs)

    def forward(self, X, lengths):
        """Return one score a gait."""
        hidden, _ = self.gru(X)
        inside = torch.arange(X.shape[1], device=X.device) < lengths[:, None]
        return self.out((hidden * inside[:, :, None]).sum(1) / lengths[:, None])


net = NeuralNetClassifier(
    Gait,
    criterion=nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=0.01,
    batch_size=32,
    verbose=0,
)
how = {"scaler": None, "collate": pad_sequences, "validation_fraction": None}
how["random_state"] = 0

# %%
# Each its own net, or one net in turns
# -------------------------------------
#
# 24 recordings at the hip do not show what a gait is; those of the wrist do, although
# that sensor sees it from another side. All nets take the same number of steps on a
# sensor's recordings: the wrist's are 13 batches an epoch, and the hip's a single one.

own, epochs = {}, {"wrist": 10, "hip": 10 * 13}
for name in ("wrist", "hip"):
    rows = sensor == name
    alone = SharedNet(
        net.set_params(max_epochs=epochs[name]), schedule="shuffled", **how
    )
    alone.fit(X[rows], y[rows], sample_source=sensor[rows])
    test = sensor_test == name
    own[name] = alone.score(X_test[test], y_test[test])

one = SharedNet(net.set_params(max_epochs=10), schedule="batches", **how)
one.fit(X, y, sample_source=sensor)
together = score_by_source(one, X_test, y_test, sample_source=sensor_test).by_source

for name in ("wrist", "hip"):
    print(f"{name:5}  own net {own[name]:.2f}  one net {together[name]:.2f}")

# %%
# The hip gains much. The wrist, which has plenty of its own, gains nothing.

figure, ax = plt.subplots(figsize=(5, 3))
for place, (way, scores) in enumerate({"own net": own, "one net": together}.items()):
    heights = [scores[name] for name in own]
    ax.bar(np.arange(2) + 0.4 * place - 0.2, heights, width=0.36, label=way)
ax.set_xticks(range(2), list(own))
ax.axhline(0.25, color="0.5", linestyle=":", label="by chance")
ax.set_ylabel("accuracy on new recordings")
ax.set_ylim(0, 1.2)
ax.legend(ncols=3, loc="upper center", fontsize="small")
figure.tight_layout()
