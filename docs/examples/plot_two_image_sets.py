"""
Two folders of images
=====================

Digits from a scanner, and fewer from a phone: dim and noisy. Both are files on disk.
One net learns from both, and reads an image when it needs it.
"""

# %%
# Two folders
# -----------
#
# scikit-learn's digits, written as PNG files. The phone and the scanner have different
# digits, and the phone has little light.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier
from torch import nn

from sktandem import SharedNet, stack_sources
from sktandem.model_selection import score_by_source

digits, labels = load_digits(return_X_y=True)
digits = digits.reshape(-1, 8, 8) * 15
rng = np.random.default_rng(0)
phone = np.arange(len(digits)) % 3 == 0
dim = digits[phone] * 0.4
digits[phone] = np.clip(dim + rng.normal(20, 20, dim.shape), 0, 255)

folder = Path(tempfile.mkdtemp())
files = [folder / f"{place}.png" for place in range(len(digits))]
for file, digit in zip(files, digits.astype(np.uint8)):
    Image.fromarray(digit).save(file)

# %%
# Rows that are read when they are needed
# ---------------------------------------
#
# ``reader`` is the function that reads a file. X holds no image: a slice of it reads
# nothing, and an integer reads one file.


def read(file):
    """Return an image with its channel first."""
    return np.array(Image.open(file))[None]


def sources(places):
    """Return the files of some places by the folder they would be in."""
    made = {}
    for name, own in (("scanner", ~phone[places]), ("phone", phone[places])):
        chosen = places[own]
        made[name] = [files[place] for place in chosen], labels[chosen]
    return made


order = rng.permutation(len(files))
of_phone = order[phone[order]]
training = np.concatenate([of_phone[:60], order[~phone[order]][:600]])
X, y, camera = stack_sources(sources(training), reader=read)
X_test, y_test, camera_test = stack_sources(
    {"phone": sources(of_phone[60:])["phone"]}, reader=read
)
print(X, X[:3], X[0].shape)

figure, axes = plt.subplots(2, 8, figsize=(8, 2.2))
for row, name in zip(axes, ("scanner", "phone")):
    own = X[camera == name]
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
            nn.Linear(128, n_outputs),
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
# The phone has few images of its own; the scanner's show what a digit looks like. One
# shared head learns from both. With a head for each, the phone's head learns from its
# own few images only. Set ``iterator_train__num_workers=2`` on the net to let two
# processes read the files; the numbers stay the same.

alone = SharedNet(net.set_params(max_epochs=150), schedule="shuffled", **how)
own = camera == "phone"
alone.fit(X[own], y[own], sample_source=camera[own])

net.set_params(max_epochs=10)  # of as many steps
one = SharedNet(net, schedule="batches", **how).fit(X, y, sample_source=camera)
heads = SharedNet(net, heads="source", **how).fit(X, y, sample_source=camera)

for way, model in {"phone alone": alone, "one head": one, "two heads": heads}.items():
    scores = score_by_source(model, X_test, y_test, sample_source=camera_test)
    print(f"{way:12} {scores.by_source['phone']:.2f}")

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
frozen = SharedNet(net, heads="source", **how).fit(X, y, sample_source=camera)
print([name for name, w in frozen.module_.named_parameters() if w.requires_grad])
scores = score_by_source(frozen, X_test, y_test, sample_source=camera_test)
print(f"frozen trunk {scores.by_source['phone']:.2f}")
