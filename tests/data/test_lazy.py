"""Datasets, files and arrays of several lengths, stacked as rows that are read late."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import KFold

from sktandem import Merged, SourceError, stack_sources
from sktandem.data._lazy import LazyTable

torch = pytest.importorskip("torch")
data = torch.utils.data


class Photos(data.Dataset):
    """Pairs of an image and a label, and a count of what was read."""

    def __init__(self, n=6, start=0):
        self.x = torch.arange(start, start + n).float()[:, None] * torch.ones(4)
        self.y = np.arange(n) % 2
        self.read = []

    def __len__(self):
        return len(self.y)

    def __getitem__(self, place):
        self.read.append(place)
        return self.x[place], int(self.y[place])


class Kept(Photos):
    def __init__(self, *args, **kept):
        super().__init__(*args)
        vars(self).update(kept)


class Stream(data.IterableDataset):
    def __iter__(self):
        return iter([(torch.zeros(4), 0)])


class Triples(Photos):
    def __getitem__(self, place):
        return self.x[place], 0, 1


class Short(Photos):
    def __getitem__(self, place):
        if place > 3:
            raise IndexError("index 4 is out of range")
        return super().__getitem__(place)


def test_datasets_are_stacked_and_nothing_is_read_until_an_item_is_asked_for():
    phone, camera = Photos(6), Photos(4, start=10)
    X, y, source = stack_sources({"phone": phone, "camera": camera})
    phone.read.clear()
    camera.read.clear()

    views = X[3:9], X[source == "camera"], X[np.array([9, 0]), ...], X[[1, 7]]

    assert [view.shape for view in views] == [(6,), (4,), (2,), (2,)]
    assert all(isinstance(view, LazyTable) for view in views)
    assert phone.read == camera.read == []
    assert views[2][0][0] == 13
    assert X[np.int64(9)][0] == X[-1][0] == 13
    assert camera.read == [3, 3, 3]
    assert y.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert [len(X[train]) for train, _ in KFold(5).split(X)] == [8] * 5
    assert repr(X) == "<10 rows of Photos, Photos>"


@pytest.mark.parametrize("name", ["targets", "labels"])
@pytest.mark.parametrize("kind", [list, np.asarray, torch.tensor])
def test_targets_that_a_dataset_keeps_are_taken_without_reading_its_items(name, kind):
    kept = Kept(**{name: kind([0, 1, 1, 1, 0, 0])})

    assert stack_sources({"a": kept}).y.tolist() == [0, 1, 1, 1, 0, 0]
    assert kept.read == [0], "the first, to see that they are the y of the items"
    part = data.Subset(kept, [0, 5, 2])
    assert stack_sources({"a": part}).y.tolist() == [0, 0, 1]


def test_the_tensors_of_a_dataset_hold_its_targets():
    table = data.TensorDataset(torch.zeros(3, 2), torch.tensor([5.0, 6.0, 7.0]))
    assert stack_sources({"a": table}).y.tolist() == [5, 6, 7]


def test_what_a_dataset_keeps_of_another_kind_is_not_taken_for_its_targets():
    for kept in ({"labels": ["cat", "dog"]}, {"targets": [1, 0, 1, 0, 1, 0]}):
        assert stack_sources({"a": Kept(**kept)}).y.tolist() == [0, 1, 0, 1, 0, 1]


def test_targets_may_stand_beside_a_dataset():
    X, y, _ = stack_sources({"a": (Photos(3), ["x", "y", "z"])})
    assert y.tolist() == ["x", "y", "z"]
    assert X[2][0] == 2


def test_sequences_of_several_lengths_are_items():
    long, short = [np.ones((n, 2)) for n in (3, 5)], np.ones((2, 4, 2))

    X, _, _ = stack_sources({"a": (long, [0, 1]), "b": (short, [0, 1])})

    assert [len(x) for x in X] == [3, 5, 4, 4]
    assert repr(X) == "<4 rows of arrays, arrays>"
    boxed = np.empty(2, dtype=object)
    boxed[:] = long
    assert len(stack_sources({"a": (boxed, [0, 1])}).X[1]) == 5


def test_files_are_read_by_the_function_that_is_given(tmp_path):
    files = []
    for n in range(3):
        np.save(tmp_path / f"{n}.npy", np.full(2, n))
        files.append(tmp_path / f"{n}.npy")
    X, _, _ = stack_sources({"a": (files, None)}, reader=np.load)
    assert X[2].tolist() == [2, 2]

    files[1].write_bytes(b"no array")
    with pytest.raises(
        SourceError, match=r"reader=load failed on '.*1\.npy': \w+Error"
    ):
        X[1]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (
            Stream(),
            r"'a' is an IterableDataset \(Stream\), whose items cannot be indexed",
        ),
        (
            Triples(),
            r"Item 0 of the Triples of 'a' must be a pair \(x, y\), got tuple o",
        ),
        (Short(), "The Short of 'a' says that it has 6 items, and item 4 fails: index"),
        ((Photos(5), [0, 1]), "'a' has 5 rows of X and 2 of y"),
        (Photos(0), "'a' has no rows"),
    ],
)
def test_datasets_that_cannot_be_stacked_are_told_apart(dataset, message):
    with pytest.raises(SourceError, match=message):
        stack_sources({"a": dataset})


def test_items_are_no_table():
    X, y, source = stack_sources({"a": Photos(), "b": Photos()})
    with pytest.raises(SourceError, match="a table of numbers is needed here"):
        np.asarray(X)
    with pytest.raises(SourceError, match="column='s' needs a table, but X has no col"):
        stack_sources({"a": Photos()}, column="s")
    with pytest.raises(SourceError, match="'a': 'dataset', 'b': 'list of texts'"):
        stack_sources({"a": Photos(), "b": (["one"], [1])})
    message = r"Merged\(LogisticRegression\(\)\) fits tables, and X holds 12 items"
    with pytest.raises(SourceError, match=message):
        Merged(LogisticRegression()).fit(X, y, sample_source=source)
    with pytest.raises(SourceError, match=r"Merged\(SGDClassifier\(\)\) fits tables"):
        Merged(SGDClassifier()).partial_fit(X, y, sample_source=source)


def test_a_pass_over_all_items_shows_how_far_it_is(monkeypatch):
    import tqdm.auto

    shown = []

    def bar(rows, **how):
        shown.append((len(rows), how))
        return rows

    monkeypatch.setattr(tqdm.auto, "tqdm", bar)

    stack_sources({"phone": Photos(6), "camera": Kept(targets=[0, 1, 0, 1, 0, 1])})

    [(n, how)] = shown
    assert n == 5, "the first item is read before, to know what y is like"
    assert how["desc"] == "reading y of 'phone'"
    assert how["disable"] is None, "not where nobody looks"
    assert how["delay"] > 0, "and not for what takes no time"
