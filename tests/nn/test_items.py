"""Data that do not fit in a table: cast by the batch, read when they are needed."""

import random
import tracemalloc
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.preprocessing import RobustScaler, StandardScaler
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn
from torch.utils.data import Dataset

from sktandem import SharedNet, SourceError, SourceWarning, Tandem, stack_sources
from sktandem.model_selection import compare_strategies, score_by_source
from sktandem.nn import pad_sequences
from sktandem.nn._features import as_tensor, fit_features
from sktandem.nn._items import joined
from sktandem.nn._reader import Reader


class Small(nn.Module):
    """Images or rows of any number of values to two classes."""

    def __init__(self, n_values=12, n_outputs=2):
        super().__init__()
        self.out = nn.Linear(n_values, n_outputs)

    def forward(self, X):
        return self.out(X.flatten(1))


def small_net(**params):
    given = {"max_epochs": 2, "batch_size": 8, "verbose": 0, "lr": 0.1}
    return NeuralNetClassifier(Small, criterion=nn.CrossEntropyLoss, **given | params)


def two_cameras(n=50, shape=(3, 2, 2), seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 9, size=(n, *shape)).astype(np.uint8)
    return images, rng.integers(2, size=n), np.where(np.arange(n) < 30, "phone", "dslr")


def weights_of(model):
    return [weight.detach().numpy() for weight in model.module_.parameters()]


# Cast by the batch --------------------------------------------------------------


@pytest.mark.parametrize("heads", ["shared", "source"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float16", "float64"])
def test_numbers_of_any_type_train_the_net_of_single_precision(dtype, heads):
    X, y, source = two_cameras()
    net = small_net(module__n_outputs=2)
    kept = SharedNet(net, scaler=None, heads=heads, random_state=0)
    other = SharedNet(net, scaler=None, heads=heads, random_state=0)

    kept.fit(X.astype(np.float32), y, sample_source=source)
    other.fit(X.astype(dtype), y, sample_source=source)

    for a, b in zip(weights_of(kept), weights_of(other)):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(
        kept.predict_proba(X.astype(np.float32), sample_source=source),
        other.predict_proba(X.astype(dtype), sample_source=source),
    )


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float32", "float64"])
def test_no_type_of_numbers_is_copied_on_its_way_to_a_tensor(dtype, tmp_path):
    made = np.lib.format.open_memmap(
        tmp_path / "X.npy", mode="w+", dtype=dtype, shape=(9, 4)
    )
    made[:] = 1
    for X in (np.ones((9, 4), dtype), np.load(tmp_path / "X.npy", mmap_mode="r")):
        assert as_tensor(X).data_ptr() == X.ctypes.data


@pytest.mark.parametrize("scaler", ["standard", "minmax", "robust", None])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
def test_scales_are_learned_block_by_block(scaler, dtype):
    n = 20_000
    X = np.random.default_rng(0).integers(0, 9, size=(n, 400)).astype(dtype)
    y, source = np.arange(n) % 2, np.where(np.arange(n) < n // 2, "a", "b")
    rows = Reader(SharedNet(task="classification")).read(X, y, sample_source=source)
    used = np.arange(0, n, 2)

    tracemalloc.start()
    features, numbers = fit_features(
        rows, used, None, 0, scaler=scaler, scale_by="source" if scaler else "pooled"
    )
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert np.shares_memory(numbers, X)
    # Of a table that is 64 MB in double precision.
    assert most < 25e6
    if scaler == "robust":
        pooled = RobustScaler().fit(X[used].astype(float))
        np.testing.assert_allclose(features.maps.scale[-1], pooled.scale_)


# Rows that are read when they are needed ----------------------------------------


class Camera(Dataset):
    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, place):
        return torch.from_numpy(self.X[place]), int(self.y[place])


def two_datasets(X, y, source, kind=Camera):
    """Return lazy rows, and the same as an array, in one order."""
    own = {name: source == name for name in ("phone", "dslr")}
    lazy = stack_sources({name: kind(X[rows], y[rows]) for name, rows in own.items()})
    order = np.concatenate([np.flatnonzero(rows) for rows in own.values()])
    return lazy, X[order]


@pytest.mark.parametrize("heads", ["shared", "source"])
@pytest.mark.parametrize("schedule", ["batches", "epochs", "shuffled", "joint"])
def test_a_dataset_trains_the_net_of_the_array_that_it_reads(heads, schedule):
    (X, y, source), array = two_datasets(*two_cameras())
    how = {"scaler": None, "heads": heads, "schedule": schedule, "random_state": 0}

    lazy = SharedNet(small_net(), **how).fit(X, y, sample_source=source)
    whole = SharedNet(small_net(), **how).fit(array, y, sample_source=source)

    # Batches lie otherwise in memory, which some processors' sums depend on.
    for a, b in zip(weights_of(lazy), weights_of(whole)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        lazy.predict_proba(X, sample_source=source),
        whole.predict_proba(array, sample_source=source),
        rtol=1e-4,
        atol=1e-6,
    )
    assert lazy.score(X, y, sample_source=source) == whole.score(
        array, y, sample_source=source
    )


def test_a_fit_on_datasets_goes_on_bit_for_bit():
    (X, y, source), _ = two_datasets(*two_cameras())
    how = {"scaler": None, "keep": "last", "random_state": 0}
    whole = SharedNet(small_net(max_epochs=4), **how).fit(X, y, sample_source=source)
    parts = SharedNet(small_net(max_epochs=4), **how)
    for _ in range(2):
        parts.partial_fit(X, y, sample_source=source, epochs=2)

    for a, b in zip(weights_of(whole), weights_of(parts)):
        np.testing.assert_array_equal(a, b)


def test_the_tools_of_scikit_learn_and_ours_work_on_datasets():
    (X, y, source), array = two_datasets(*two_cameras())
    model = SharedNet(small_net(), scaler=None, random_state=0)

    how = {"cv": KFold(3, shuffle=True, random_state=0)}
    how["params"] = {"sample_source": source}
    scores = cross_val_score(model, X, y, **how)
    expected = cross_val_score(model, array, y, **how)
    np.testing.assert_array_equal(scores, expected)
    found = GridSearchCV(model, {"net__lr": [0.1, 0.2]}, cv=how["cv"])
    found.fit(X, y, sample_source=source)
    by_source = score_by_source(found.best_estimator_, X, y, sample_source=source)
    assert set(by_source.by_source) == {"phone", "dslr"}


def test_members_made_of_nets_are_compared_and_blended_on_datasets():
    (X, y, source), _ = two_datasets(*two_cameras())
    how = {"scaler": None, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SourceWarning)
        compared = compare_strategies(
            small_net(), X, y, sample_source=source, cv=2, n_repeats=1, **how
        )
        blend = Tandem(small_net(), cv=2, **how).fit(X, y, sample_source=source)
    names = set(compared.to_frame()["strategy"])
    assert {"own models", "a head for each", "in turns by batches"} <= names
    assert len(blend.predict(X, sample_source=source)) == len(X)


def test_a_dataset_may_be_given_to_predict_as_it_is():
    images, y, source = two_cameras()
    model = SharedNet(small_net(), scaler=None, random_state=0)
    model.fit(images, y, sample_source=source)

    np.testing.assert_array_equal(
        model.predict(Camera(images, y)), model.predict(images)
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"scaler='standard' scales columns, and X holds items that are read"),
        ({"scaler": None, "collate": "pad"}, "collate must be a function of a list of"),
        ({"scaler": None, "collate": list}, "of the module's forward, got list"),
        ({"scaler": None, "augment": 3}, "augment must be a function of an item, or"),
        ({"scaler": None, "augment": {"phon": None}}, "augment names 'phon', which is"),
    ],
)
def test_settings_that_do_not_go_with_items_are_refused(given, message):
    (X, y, source), _ = two_datasets(*two_cameras())
    with pytest.raises(SourceError, match=message):
        SharedNet(small_net(), **given).fit(X, y, sample_source=source)


def test_what_has_no_items_takes_neither_collate_nor_augment():
    X, y, source = two_cameras()
    for given, message in [
        (
            {"scaler": None, "collate": pad_sequences},
            "of items, and X is a table of sh",
        ),
        (
            {"scaler": StandardScaler(), "augment": str},
            "augment acts on items, and sca",
        ),
    ]:
        with pytest.raises(SourceError, match=message):
            SharedNet(small_net(), **given).fit(X, y, sample_source=source)


def test_items_that_make_no_batch_are_told_of():
    class Odd(Camera):
        def __getitem__(self, place):
            return torch.zeros(3, 2, 2 + place % 2), 0

    class Named(Camera):
        def __getitem__(self, place):
            return "a.png", 0

    for kind, message in [
        (Odd, r"one shape, got \(3, 2, 2\) and \(3, 2, 3\)\. Pass collate=sktandem"),
        (Named, "Item 0 must be a tensor or an array of numbers, got str"),
    ]:
        (X, y, source), _ = two_datasets(*two_cameras(), kind=kind)
        with pytest.raises(SourceError, match=message):
            SharedNet(small_net(), scaler=None).fit(X, y, sample_source=source)


# Sequences of unequal length ----------------------------------------------------


class Means(nn.Module):
    """The mean over each sequence, of which the module is told the length."""

    def __init__(self, n_outputs=2):
        super().__init__()
        self.out = nn.Linear(3, n_outputs)

    def forward(self, X, lengths):
        inside = torch.arange(X.shape[1]) < lengths[:, None]
        return self.out((X * inside[:, :, None]).sum(dim=1) / lengths[:, None])


class Walks(Dataset):
    """Sequences whose lengths are known when they are read."""

    def __init__(self, walks, **told):
        self.walks = walks
        vars(self).update(told)

    def __len__(self):
        return len(self.walks)

    def __getitem__(self, place):
        return self.walks[place]


def with_lengths(walks):
    return Walks(walks, lengths=[len(walk) for walk in walks])


def two_sensors(n=40, seed=0, kind=list):
    rng = np.random.default_rng(seed)
    walks = [rng.normal(size=(rng.integers(2, 9), 3)) for _ in range(n)]
    y, cut = np.arange(n) % 2, 5 * n // 8
    X, y, source = stack_sources(
        {"wrist": (kind(walks[:cut]), y[:cut]), "hip": (kind(walks[cut:]), y[cut:])}
    )
    return X, y, source, np.stack([walk.mean(axis=0) for walk in walks])


@pytest.mark.parametrize("schedule", ["batches", "joint", "shuffled"])
@pytest.mark.parametrize("heads", ["shared", "source"])
def test_padded_sequences_train_what_their_lengths_leave_of_them(heads, schedule):
    X, y, source, means = two_sensors(kind=Walks)  # in the order of rows of a table
    how = {"scaler": None, "random_state": 0, "heads": heads, "schedule": schedule}
    settings = {"module__n_outputs": 3} if heads == "source" else {}

    padded = NeuralNetClassifier(
        Means, criterion=nn.CrossEntropyLoss, max_epochs=2, verbose=0, **settings
    )
    ragged = SharedNet(padded, collate=pad_sequences, **how)
    ragged.fit(X, y, sample_source=source)
    flat = NeuralNetClassifier(
        nn.Linear,
        module__in_features=3,
        module__out_features=3 if heads == "source" else 2,
        criterion=nn.CrossEntropyLoss,
        max_epochs=2,
        verbose=0,
    )
    plain = SharedNet(flat, **how).fit(means, y, sample_source=source)

    for a, b in zip(weights_of(ragged), weights_of(plain)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    few = ragged.predict_proba(X[:3], sample_source=source[:3])
    many = ragged.predict_proba(X, sample_source=source)[:3]
    np.testing.assert_allclose(few, many)


class Counting:
    """Pads, and keeps the lengths of each batch."""

    def __init__(self):
        self.lengths = []

    def __call__(self, items):
        made = pad_sequences(items)
        self.lengths.append(sorted(made["lengths"].tolist()))
        return made

    @property
    def wasted(self):
        """The places that hold no value."""
        return sum(len(own) * own[-1] - sum(own) for own in self.lengths)


def fit_means(X, y, source, collate=pad_sequences, **params):
    given = {"scaler": None, "random_state": 0, "validation_fraction": None} | params
    settings = {"module__n_outputs": 3} if given.get("heads") == "source" else {}
    net = NeuralNetClassifier(
        Means,
        criterion=nn.CrossEntropyLoss,
        max_epochs=3,
        batch_size=8,
        verbose=0,
        **settings,
    )
    model = SharedNet(net, collate=collate, **given)
    return model.fit(X, y, sample_source=source)


@pytest.mark.parametrize("schedule", ["batches", "epochs", "joint", "shuffled"])
@pytest.mark.parametrize("heads", ["shared", "source"])
def test_batches_hold_sequences_of_like_length(heads, schedule):
    wasted = {}
    for kind in (Walks, list, with_lengths):
        X, y, source, _ = two_sensors(400, kind=kind)
        counting = Counting()
        fit_means(X, y, source, counting, heads=heads, schedule=schedule)
        wasted[kind] = counting.wasted

    assert wasted[list] == wasted[with_lengths]
    assert wasted[list] < 0.5 * wasted[Walks]


@pytest.mark.parametrize("heads", ["shared", "source"])
def test_predictions_come_back_in_their_order_and_waste_little(heads):
    X, y, source, _ = two_sensors(400)
    counting = Counting()
    model = fit_means(X, y, source, counting, heads=heads)
    rows = np.random.default_rng(0).permutation(400)
    counting.lengths.clear()

    many = model.predict_proba(X[rows], sample_source=source[rows])

    # Sorted, so that most batches hold a single length.
    assert sum(own[0] == own[-1] for own in counting.lengths) > 0.6 * 400 / 8
    few = [model.predict_proba(X[[k]], sample_source=source[[k]])[0] for k in rows[:9]]
    np.testing.assert_allclose(many[:9], few)


def test_a_fit_on_grouped_sequences_goes_on_bit_for_bit():
    X, y, source, _ = two_sensors(60)
    whole = fit_means(X, y, source, keep="last")
    part = clone(whole)
    for _ in range(3):
        part.partial_fit(X, y, sample_source=source, epochs=1)

    for a, b in zip(weights_of(whole), weights_of(part)):
        np.testing.assert_array_equal(a, b)


def test_sequences_of_one_length_come_in_the_order_of_any_rows():
    rng = np.random.default_rng(0)
    walks, y = list(rng.normal(size=(40, 5, 3))), np.arange(40) % 2
    source = np.repeat(["wrist", "hip"], 20)
    kept, other = (
        fit_means(stack_sources({"all": (kind(walks), y)}).X, y, source)
        for kind in (Walks, with_lengths)
    )

    for a, b in zip(weights_of(kept), weights_of(other)):
        np.testing.assert_array_equal(a, b)


def test_lengths_that_are_not_those_of_the_rows_are_not_taken():
    walks = [np.ones((n, 3)) for n in (3, 2, 5)]
    lying = stack_sources({"a": (Walks(walks, lengths=[1, 2]), None)}).X
    both = {"walk": walks, "name": ["x", "y", "z"], "more": walks}

    assert lying.lengths() is None
    assert stack_sources({"a": (walks, None)}).X[[2, 0]].lengths().tolist() == [5, 3]
    assert stack_sources({"a": (both, None)}).X.lengths().tolist() == [7, 5, 11]


def test_a_module_that_takes_no_lengths_is_told_of_them():
    X, y, source, _ = two_sensors()
    model = SharedNet(small_net(), scaler=None, collate=pad_sequences)
    with pytest.raises(
        SourceError, match=r"(?s)Small did not take.*argument 'lengths'"
    ):
        model.fit(X, y, sample_source=source)


def test_batches_of_any_form_are_padded_where_they_are_joined():
    parts = [
        {"X": torch.ones(2, 3, 1), "lengths": torch.tensor([3, 1])},
        {"X": torch.ones(1, 5, 1), "lengths": torch.tensor([5])},
    ]
    made = joined(parts)
    assert made["X"].shape == (3, 5, 1)
    assert made["X"].sum(dim=(1, 2)).tolist() == [3, 3, 5]
    assert made["lengths"].tolist() == [3, 1, 5]
    images = [torch.ones(2, 3, 4), torch.zeros(1, 3, 4)]
    assert torch.equal(joined(images), torch.cat(images))


# Augmentation -------------------------------------------------------------------


class Noise:
    """Adds noise of every global random state, and remembers the sums."""

    def __init__(self):
        self.seen = []

    def __call__(self, x):
        noise = torch.randn(1).item() + np.random.rand() + random.random()  # noqa: NPY002
        self.seen.append(round(noise, 6))
        return x.float() + noise


def random_states():
    return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002


@pytest.mark.parametrize("lazily", [True, False])
@pytest.mark.parametrize("schedule", ["batches", "shuffled", "joint"])
def test_augmentation_is_a_function_of_seed_source_pass_and_item(lazily, schedule):
    (X, y, source), array = two_datasets(*two_cameras())
    X = X if lazily else array
    fits = []
    for _ in range(2):
        noise = Noise()
        how = {"scaler": None, "schedule": schedule, "random_state": 0}
        model = SharedNet(small_net(), augment=noise, validation_fraction=None, **how)
        fits.append((model.fit(X, y, sample_source=source), noise.seen))
        random_states()

    (first, seen), (second, again) = fits
    assert seen == again
    assert len(set(seen)) == len(seen), "each item anew in each pass"
    for a, b in zip(weights_of(first), weights_of(second)):
        np.testing.assert_array_equal(a, b)
    first.predict(X)
    assert len(seen) == len(again), "predictions are of rows as they are"


def test_rows_that_are_held_out_are_never_augmented():
    (X, y, source), _ = two_datasets(*two_cameras())
    noise = Noise()
    how = {"scaler": None, "random_state": 0, "validation_fraction": 0.5}
    net = small_net(max_epochs=1)
    SharedNet(net, augment=noise, **how).fit(X, y, sample_source=source)
    n_trained = sum(
        SharedNet(net, **how)
        .fit(X, y, sample_source=source)
        .n_samples_by_source_.values()
    )

    # The smaller source begins another pass, and its rows draw anew.
    assert n_trained <= len(set(noise.seen)) < 2 * n_trained
    assert len(noise.seen) == len(set(noise.seen))


class Divides(Small):
    """Takes bytes as they come, and remembers what it was trained on."""

    def forward(self, X):
        if self.training:
            self.seen = X
        return super().forward(X / 255)


class InArrays(Camera):
    def __getitem__(self, place):
        return self.X[place], int(self.y[place])


def named_x(items):
    return {"X": torch.stack(items)}


def brightened(x):
    """An augmentation that needs its items in one piece, and makes floats of bytes."""
    return 0.5 + x.view(-1).view(x.shape)


@pytest.mark.parametrize("collate", [None, named_x])
def test_floats_that_augment_makes_of_bytes_stay_floats(collate):
    images, y, source = two_cameras()
    last = np.ascontiguousarray(images.transpose(0, 2, 3, 1))  # channels last in memory
    X, y, source = two_datasets(last.transpose(0, 3, 1, 2), y, source, InArrays)[0]
    how = {"scaler": None, "validation_fraction": None, "collate": collate}
    net = small_net().set_params(module=Divides)

    model = SharedNet(net, augment=brightened, **how).fit(X, y, sample_source=source)

    seen = model.module_.seen
    assert seen.dtype is torch.float32
    assert torch.equal(seen, seen.floor() + 0.5)


def test_global_random_states_are_as_before():
    (X, y, source), _ = two_datasets(*two_cameras())
    model = SharedNet(small_net(), scaler=None, augment=Noise(), random_state=0)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)
    expected = random_states()
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    torch.manual_seed(3)

    model.fit(X, y, sample_source=source).predict(X)

    assert random_states() == expected


def test_each_source_may_have_an_augmentation_of_its_own():
    (X, y, source), _ = two_datasets(*two_cameras())
    noise = Noise()
    how = {"scaler": None, "schedule": "epochs", "validation_fraction": None}
    model = SharedNet(small_net(), augment={"dslr": noise}, random_state=0, **how)
    model.fit(X, y, sample_source=source)

    assert model.history_[:, "source"] == ["dslr", "phone"]
    assert len(noise.seen) == 20


# Several inputs by name ----------------------------------------------------------


class Seeing(nn.Module):
    """An image, numbers about it, and which camera took it."""

    def __init__(self, n_outputs=2):
        super().__init__()
        self.by_image, self.by_place = nn.Linear(12, 4), nn.Embedding(5, 4)
        self.out = nn.Linear(4 + 4 + 2, n_outputs)

    def forward(self, image, table, place):
        hidden = [self.by_image(image.flatten(1)), self.by_place(place), table]
        return self.out(torch.cat(hidden, dim=1))


class OfOne(Seeing):
    """The same, from one row of numbers."""

    def forward(self, X):
        return super().forward(X[:, :12], X[:, 12:14], X[:, 14].long())


def two_rooms(n=50):
    """Return inputs by name, the same as one table, y and sources."""
    rng = np.random.default_rng(0)
    inputs = {
        "image": rng.integers(0, 9, size=(n, 3, 2, 2)).astype(np.uint8),
        "table": rng.normal(size=(n, 2)),
        "place": rng.integers(0, 5, size=n).astype(np.int16),
    }
    flat = [np.reshape(part, (n, -1)).astype(float) for part in inputs.values()]
    return (
        inputs,
        np.hstack(flat),
        np.arange(n) % 2,
        np.repeat(["a", "b"], [30, n - 30]),
    )


def net_on(module, heads):
    more = {"module__n_outputs": 6} if heads == "source" else {}
    how = {"max_epochs": 2, "batch_size": 8, "verbose": 0, "lr": 0.1}
    return NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss, **how | more)


@pytest.mark.parametrize("door", ["fit", "stack_sources", "memory maps"])
@pytest.mark.parametrize("heads", ["shared", "source"])
@pytest.mark.parametrize("schedule", ["batches", "joint", "shuffled", "curriculum"])
def test_several_inputs_train_the_net_of_one_table(heads, schedule, door, tmp_path):
    inputs, flat, y, source = two_rooms()
    X = inputs
    if door == "memory maps":
        for name, values in inputs.items():
            np.save(tmp_path / f"{name}.npy", values)
        X = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in inputs}
    if door == "stack_sources":
        parts = {name: source == name for name in "ab"}
        X, y, source = stack_sources(
            {
                name: ({key: values[rows] for key, values in X.items()}, y[rows])
                for name, rows in parts.items()
            }
        )
    how = {"scaler": None, "heads": heads, "schedule": schedule, "random_state": 0}

    several = SharedNet(net_on(Seeing, heads), **how).fit(X, y, sample_source=source)
    one = SharedNet(net_on(OfOne, heads), **how).fit(flat, y, sample_source=source)

    for a, b in zip(weights_of(several), weights_of(one)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        several.predict_proba(inputs, sample_source=source),
        one.predict_proba(flat, sample_source=source),
        rtol=1e-4,
        atol=1e-6,
    )


def test_the_tools_of_scikit_learn_work_on_several_inputs():
    inputs, flat, y, source = two_rooms()
    X, y, _ = stack_sources({"all": (inputs, y)})
    assert X[3]["image"].shape == (3, 2, 2)
    assert repr(X[:9]) == "<9 rows of {image, table, place}>"

    how = {"cv": KFold(3, shuffle=True, random_state=0)}
    how["params"] = {"sample_source": source}
    scores = [
        cross_val_score(
            SharedNet(net_on(module, "shared"), scaler=None, random_state=0),
            x,
            y,
            scoring="neg_log_loss",
            **how,
        )
        for module, x in ((Seeing, X), (OfOne, flat))
    ]

    # One net adds up its inputs in another order.
    np.testing.assert_allclose(*scores, rtol=1e-4)


def test_augmentation_gets_all_inputs_of_an_item():
    inputs, _, y, source = two_rooms()
    seen = []

    def mirrored(item):
        seen.append(sorted(item))
        return {**item, "image": item["image"].flip(-1)}

    model = SharedNet(net_on(Seeing, "shared"), scaler=None, augment=mirrored)
    model.fit(inputs, y, sample_source=source)

    assert seen[0] == ["image", "place", "table"]


def test_lists_frames_tensors_and_sequences_as_inputs():
    inputs, _, y, source = two_rooms()
    pandas = pytest.importorskip("pandas")
    X = {
        "image": torch.from_numpy(inputs["image"]),
        "table": pandas.DataFrame(inputs["table"]),
        "place": inputs["place"].tolist(),
    }
    how = {"scaler": None, "random_state": 0}

    one = SharedNet(net_on(Seeing, "shared"), **how).fit(X, y, sample_source=source)
    other = SharedNet(net_on(Seeing, "shared"), **how)
    other.fit(inputs, y, sample_source=source)

    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(inputs))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda X: {**X, "table": X["table"][1:]},
            r"X is a dict of 3 datasets; expected",
        ),
        (
            lambda X: {**X, "source": X["place"]},
            "'source' cannot be one's name: it must",
        ),
        (lambda X: {**X, 3: X["place"]}, "3 cannot be one's name: it must be a param"),
        (
            lambda X: {"image": X["image"]},
            r"(?s)Seeing did not take a batch of 'image' of shape \(2, 3, 2, 2\) and "
            r"type float32.*forward must take \['image'\] by name",
        ),
        (
            lambda X: {**X, "place": np.array([["x"]] * 50)},
            "Item 0 must be a tensor or an array of numbers, got ndarray",
        ),
    ],
)
def test_inputs_that_are_none_are_refused(change, message):
    inputs, _, y, source = two_rooms()
    with pytest.raises(SourceError, match=message):
        SharedNet(net_on(Seeing, "shared"), scaler=None).fit(
            change(inputs), y, sample_source=source
        )


def test_inputs_that_do_not_stack_are_refused():
    inputs, _, y, source = two_rooms()
    short = {**inputs, "table": inputs["table"][:9]}
    with pytest.raises(SourceError, match=r"X of 'a' is a dict of inputs.*'table': 9"):
        stack_sources({"a": (short, y), "b": (inputs, y)})
    with pytest.raises(
        SourceError, match=r"must have the same inputs, got \{'a': \('im"
    ):
        stack_sources({"a": ({"image": inputs["image"]}, y), "b": (inputs, y)})
    with pytest.raises(
        SourceError, match=r"a dict of 3 dat.*by name it needs scaler=N"
    ):
        SharedNet(net_on(Seeing, "shared")).fit(inputs, y, sample_source=source)


@pytest.fixture(scope="module", params=["shared", "source"])
def of_several(request):
    """Return a net of several inputs, and what it was fitted on."""
    inputs, _, y, source = two_rooms()
    model = SharedNet(net_on(Seeing, request.param), scaler=None, heads=request.param)
    return model.fit(inputs, y, sample_source=source), inputs, y, source


OTHER_INPUTS = {
    "one less": (
        lambda X: {key: X[key] for key in ("image", "table")},
        r"X has no input \['place'\]\. The inputs of fit are \['image', 'table', 'pla",
    ),
    "one more": (
        lambda X: {**X, "sound": X["table"]},
        r"X has the input \['sound'\], which fit did not see",
    ),
    "another name": (
        lambda X: {"images" if key == "image" else key: X[key] for key in X},
        r"X has no input \['image'\]\. X has the input \['images'\].*you mean 'image'",
    ),
    "no names": (
        lambda X: X["table"],
        r"X must be a dict of the inputs \['image', 'table', 'place'\], as in fit, got",
    ),
    "a wider table": (
        lambda X: {**X, "table": np.hstack([X["table"]] * 2)},
        r"'table' of X has shape \({}\) in row 0, and had \({}\) in the first row of "
        "fit. The module does not take it: mat1",
    ),
}


@pytest.mark.parametrize("case", OTHER_INPUTS)
def test_inputs_that_are_not_those_of_fit_are_told_by_name(of_several, case):
    model, inputs, _, source = of_several
    change, message = OTHER_INPUTS[case]
    width = inputs["table"].shape[1]
    before = weights_of(model)

    for method in (model.predict, model.predict_proba):
        with pytest.raises(SourceError, match=message.format(2 * width, width)):
            method(change(inputs), sample_source=source)

    for old, new in zip(before, weights_of(model)):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("case", OTHER_INPUTS)
def test_inputs_to_validate_on_or_to_go_on_with_are_those_of_fit(of_several, case):
    model, inputs, y, source = of_several
    change, message = OTHER_INPUTS[case]
    given, width = change(inputs), inputs["table"].shape[1]
    message = message.format(2 * width, width)
    of_width = case == "a wider table"

    with pytest.raises(SourceError, match=message):
        clone(model).fit(
            inputs, y, sample_source=source, validation_data=(given, y, source)
        )
    started = clone(model).partial_fit(inputs, y, sample_source=source)
    with pytest.raises(SourceError, match="did not take a" if of_width else message):
        started.partial_fit(given, y, sample_source=source)


def test_columns_of_an_input_keep_their_order(of_several):
    """As arrays they would change places without a word."""
    model, inputs, y, source = of_several
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(inputs["table"]).add_prefix("c")
    turned = {**inputs, "table": table[table.columns[::-1]]}
    framed = {**inputs, "table": table}

    named = clone(model).fit(framed, y, sample_source=source)

    with pytest.raises(
        SourceError, match=r"'table' of X has the columns .* this order"
    ):
        named.predict(turned, sample_source=source)
    X, y, both = stack_sources({"a": (framed, y), "b": (turned, y)})
    with pytest.raises(SourceError, match="'table' of X has the columns"):
        clone(model).fit(X, y, sample_source=both)


def test_a_dict_of_inputs_is_none_where_fit_had_a_table():
    X, y, source = two_cameras(shape=(3,))
    model = SharedNet(small_net(module__n_values=3), scaler=None)
    model.fit(X, y, sample_source=source)

    with pytest.raises(
        SourceError, match=r"dict of the inputs \['X'\], and fit had no"
    ):
        model.predict({"X": X})


def test_sequences_of_another_width_are_told_by_row():
    X, y, source, _ = two_sensors()
    model = fit_means(X, y, source)
    wide = [*(walk for walk in X[:5]), np.zeros((2, 4))]

    message = (
        r"X has shape \(any, 4\) in row 5, and had \(any, 3\) in the first row of fit. "
        "The module does not take it: "
    )
    with pytest.raises(SourceError, match=message):
        model.predict(wide, sample_source=source[:6])
    with pytest.raises(SourceError, match="and fit had one input without a name"):
        model.predict({"X": np.zeros((3, 2, 3)), "lengths": np.ones(3)})


def test_a_few_sequences_are_predicted_as_among_others():
    """Three arrays are no three datasets, and one is no table."""
    X, y, source, _ = two_sensors()
    model = fit_means(X, y, source)

    whole = model.predict_proba(X, sample_source=source)

    for rows in ([0], [7], [1, 2, 3], list(range(30))):
        few = model.predict_proba([X[row] for row in rows], sample_source=source[rows])
        np.testing.assert_allclose(few, whole[rows], rtol=1e-5)
    same = np.stack([X[row][:2] for row in range(3)])
    np.testing.assert_allclose(model.predict_proba(same),
                               model.predict_proba(list(same)), rtol=1e-5)  # fmt: skip


class OneNumber(Seeing):
    """The same, of which the one output is the logit of the second class."""

    def __init__(self, n_outputs=1):
        super().__init__(n_outputs)


KINDS_OF_NETS = {
    "classifier": lambda: net_on(Seeing, "shared"),
    "heads": lambda: net_on(Seeing, "source"),
    "plain": lambda: NeuralNet(
        Seeing, criterion=nn.CrossEntropyLoss, max_epochs=2, batch_size=8, verbose=0
    ),
    "binary": lambda: NeuralNetBinaryClassifier(
        OneNumber, max_epochs=2, batch_size=8, verbose=0
    ),
}


@pytest.mark.parametrize("kind", KINDS_OF_NETS)
def test_a_row_for_which_the_net_gives_nan_gets_no_class(kind):
    inputs, _, y, source = two_rooms()
    how = {"scaler": None, "random_state": 0, "task": "classification"}
    how["heads"] = "source" if kind == "heads" else "shared"
    model = SharedNet(KINDS_OF_NETS[kind](), **how)
    model.fit(inputs, y, sample_source=source)
    asked = {name: values[:3].copy() for name, values in inputs.items()}
    before = model.predict(asked, sample_source=source[:3])
    assert set(before) <= {0, 1}
    asked["table"][1, 0] = np.nan

    message = "The net gives nan for row 1 of those asked for, and so no class"
    with pytest.raises(SourceError, match=message):
        model.predict(asked, sample_source=source[:3])


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_a_net_of_one_output_decides_by_its_own_threshold(threshold):
    inputs, _, y, source = two_rooms()
    net = KINDS_OF_NETS["binary"]().set_params(threshold=threshold)
    model = SharedNet(net, scaler=None, random_state=0)
    model.fit(inputs, y, sample_source=source)

    of_second = model.predict_proba(inputs, sample_source=source)[:, 1]
    predicted = model.predict(inputs, sample_source=source)

    np.testing.assert_array_equal(predicted, (of_second > threshold).astype(int))
