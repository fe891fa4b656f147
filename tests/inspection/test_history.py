"""Loss curves of every source, before the source that was in turn."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktandem.exceptions import SourceError
from sktandem.inspection import HistoryDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib.colors import to_hex  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

X, Y = np.zeros((6, 1)), np.array([0, 1] * 3)


def train(sources, turns, *, validate=True):
    """Return the history of epochs in each of which some sources trained."""
    seen, history = dict.fromkeys(sources, 0), []
    for epoch, turn in enumerate(turns, start=1):
        row = {"epoch": epoch, "batches": [], "source": ", ".join(map(str, turn))}
        for place, source in enumerate(sources):
            seen[source] += 100 if source in turn else 0
            row[f"rows_seen[{source}]"] = seen[source]
            if source in turn:
                row[f"train_loss[{source}]"] = (place + 1) / epoch
            if validate:
                row[f"valid_loss[{source}]"] = (place + 2) / epoch
        row["train_loss"] = 1 / epoch
        if validate:
            row["valid_loss_macro"] = row["valid_loss"] = (len(sources) + 3) / epoch
        history.append(row)
    return history


def draw(history, sources, **how):
    """Draw on a figure that pyplot does not know of."""
    return HistoryDisplay(history, sources).plot(Figure().subplots(), **how)


def points(line):
    return list(zip(line.get_xdata(), line.get_ydata()))


def edges(span):
    x = span.get_patch_transform().transform_path(span.get_path()).vertices[:, 0]
    return float(x.min()), float(x.max())


def labels(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


class InTurns(ClassifierMixin, BaseEstimator):
    """Learns nothing, but keeps the history of an alternation."""

    def __init__(self, epochs=2):
        self.epochs = epochs

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.sources_ = ("red", "white")
        self.history_ = train(self.sources_, [["red"], ["white"]] * self.epochs)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[self.epochs % 2], len(X))


def test_a_curve_holds_the_losses_of_the_epochs_that_have_one():
    """White trains in the second epoch only; it is validated in all three."""
    history = train(["red", "white"], [["red"], ["white"], ["red"]])

    lines = draw(history, ["red", "white"]).lines_

    assert points(lines["train_loss[red]"]) == [(1, 1 / 1), (3, 1 / 3)]
    assert points(lines["train_loss[white]"]) == [(2, 2 / 2)]
    assert points(lines["valid_loss[red]"]) == [(1, 2 / 1), (2, 2 / 2), (3, 2 / 3)]
    assert points(lines["valid_loss[white]"]) == [(1, 3 / 1), (2, 3 / 2), (3, 3 / 3)]
    assert points(lines["valid_loss_macro"]) == [(1, 5 / 1), (2, 5 / 2), (3, 5 / 3)]


def test_a_source_has_one_colour_solid_validated_and_dashed_trained():
    display = draw(train(["red", "white"], [["white"], ["red"]]), ["red", "white"])

    lines, spans = display.lines_, display.spans_

    for name, color, span in zip(["red", "white"], ["#3b6ea5", "#d9a520"], spans[::-1]):
        valid, trained = lines[f"valid_loss[{name}]"], lines[f"train_loss[{name}]"]
        assert valid.get_color() == trained.get_color() == color
        assert to_hex(span.get_facecolor()) == color
        assert (valid.get_linestyle(), trained.get_linestyle()) == ("-", "--")
        assert trained.get_linewidth() < valid.get_linewidth()


@pytest.mark.slow
@settings(max_examples=30)
@given(
    turns=st.lists(
        st.sets(st.sampled_from("abc"), min_size=1).map(sorted), min_size=1, max_size=9
    )
)
def test_an_epoch_is_shaded_if_and_only_if_one_source_trained(turns):
    display = draw(train("abc", turns), "abc")

    shaded = {}
    for span in display.spans_:
        left, right = edges(span)
        for epoch in np.arange(left + 0.5, right):
            assert epoch not in shaded
            shaded[epoch] = to_hex(span.get_facecolor())

    colors = dict(zip("abc", ["#3b6ea5", "#d9a520", "#a34d8d"]))
    alone = {epoch: turn for epoch, turn in enumerate(turns, 1) if len(turn) == 1}
    assert shaded == {epoch: colors[turn[0]] for epoch, turn in alone.items()}


def test_epochs_of_one_source_on_end_are_a_single_span():
    turns = [["red"], ["red"], ["white"], ["red", "white"], ["red"]]

    display = draw(train(["red", "white"], turns), ["red", "white"])

    assert [edges(span) for span in display.spans_] == [
        (0.5, 2.5),
        (2.5, 3.5),
        (4.5, 5.5),
    ]
    assert display.ax_.get_xlim() == (0.5, 5.5)


def test_whose_turn_it_was_is_told_by_rows_and_not_by_commas():
    """A source may be called "red, white" without being two."""
    sources = ["red", "white", "red, white"]

    display = draw(train(sources, [["red", "white"], ["red, white"]]), sources)

    assert [edges(span) for span in display.spans_] == [(1.5, 2.5)]


def test_a_history_without_counts_of_rows_has_no_shades():
    history = [{"epoch": 1, "source": "red", "valid_loss[red]": 1.0}]

    display = draw(history, ["red"])

    assert display.spans_ == []
    assert display.ax_.get_xlabel() == "Epoch"


@given(losses=st.lists(st.floats(0, 10), min_size=1, max_size=20))
def test_the_best_epoch_is_the_first_with_the_lowest_macro_loss(losses):
    history = [
        {"epoch": epoch, "source": "red", "valid_loss_macro": loss}
        for epoch, loss in enumerate(losses, start=1)
    ]

    best = HistoryDisplay(history, ["red"]).best_epoch_

    assert best == 1 + losses.index(min(losses))


def test_the_best_epoch_has_a_dot_and_a_diverged_one_is_never_best():
    history = train(["red", "white"], [["red", "white"]] * 3)
    history[0]["valid_loss_macro"] = float("nan")
    history[2]["valid_loss_macro"] = float("inf")

    display = draw(history, ["red", "white"])

    assert display.best_epoch_ == 2
    assert points(display.best_point_) == [(2, 5 / 2)]
    assert "best, epoch 2" in labels(display)


def test_an_epoch_that_was_broken_off_is_left_out():
    history = train(["red", "white"], [["red"], ["red"], ["red"]])
    del history[1]["source"]

    display = draw(history, ["red", "white"])

    assert points(display.lines_["valid_loss[red]"]) == [(1, 2 / 1), (3, 2 / 3)]
    assert [edges(span) for span in display.spans_] == [(0.5, 1.5), (2.5, 3.5)]
    assert HistoryDisplay(history, ["red"]).to_frame()["epoch"].tolist() == [1, 3]


def test_rows_of_a_broken_epoch_do_not_count_for_the_next():
    """Red's epoch was broken off; after that, white alone."""
    history = train(["red", "white"], [["red"], ["white"]])
    del history[0]["source"]

    (span,) = draw(history, ["red", "white"]).spans_

    assert edges(span) == (1.5, 2.5)
    assert to_hex(span.get_facecolor()) == "#d9a520"


def test_without_validation_there_are_training_curves_and_no_best_epoch():
    history = train(["red", "white"], [["red"], ["white"]], validate=False)

    display = draw(history, ["red", "white"])

    assert labels(display) == ["red, training", "white, training"]
    assert display.best_epoch_ is display.best_point_ is None


def test_mixed_batches_have_one_training_curve_for_all():
    history = train(["red", "white"], [["red", "white"]] * 2, validate=False)
    for row in history:
        del row["train_loss[red]"], row["train_loss[white]"]

    display = draw(history, ["red", "white"])

    assert labels(display) == ["all, training"]
    assert points(display.lines_["train_loss"]) == [(1, 1.0), (2, 0.5)]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"training": False}, ["valid_loss[red]"]),
        ({"validation": False}, ["train_loss[red]"]),
        ({"training": False, "validation": False}, []),
    ],
)
def test_either_kind_of_loss_can_be_left_out(how, expected):
    display = draw(train(["red"], [["red"]] * 2), ["red"], **how)

    assert list(display.lines_) == expected
    assert (display.best_point_ is None) == ("validation" in how)


def test_the_mean_of_a_single_source_is_not_drawn_twice():
    display = draw(train(["all"], [["all"]] * 3), ["all"])

    assert labels(display) == ["all, validation", "all, training", "best, epoch 3"]


@pytest.mark.parametrize("n_epochs", [1, 2, 3, 7, 40])
def test_every_tick_is_an_epoch(n_epochs):
    display = draw(train(["red"], [["red"]] * n_epochs), ["red"])

    ticks = display.ax_.get_xticks()

    assert any(1 <= tick <= n_epochs for tick in ticks)
    assert all(tick == round(tick) for tick in ticks)


def test_seven_sources_have_seven_colours():
    sources = list(range(7))

    display = draw(train(sources, [[s] for s in sources]), sources)

    colors = [display.lines_[f"valid_loss[{s}]"].get_color() for s in sources]
    assert len(set(colors)) == 7
    assert len(display.spans_) == 7


def test_names_of_sources_may_be_any_hashable():
    sources = [1, ("lab", 2), None]

    display = draw(train(sources, [sources]), sources)

    assert {"1, validation", "('lab', 2), validation"} <= set(labels(display))
    assert "None, training" in labels(display)


def test_on_no_axes_a_new_figure_is_made():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()

    display = HistoryDisplay(train(["red"], [["red"]]), ["red"]).plot()

    assert display.figure_.axes == [display.ax_]
    assert plt.get_fignums() == [*before, display.figure_.number]
    plt.close(display.figure_)


def test_axes_of_the_users_are_drawn_on_and_pyplot_is_left_alone():
    import matplotlib.pyplot as plt

    before, (left, right) = plt.get_fignums(), Figure().subplots(1, 2)

    display = HistoryDisplay.from_estimator(InTurns().fit(X, Y), ax=right)

    assert display.ax_ is right
    assert display.figure_ is right.figure
    assert not left.has_data()
    assert plt.get_fignums() == before


def test_from_an_estimator_come_its_history_sources_and_name():
    model = InTurns().fit(X, Y)

    display = HistoryDisplay.from_estimator(model, ax=Figure().subplots())

    assert display.history == model.history_
    assert display.sources == ("red", "white")
    assert display.ax_.get_title() == "InTurns"
    assert display.plot(Figure().subplots(), name="Wines").ax_.get_title() == "Wines"


@pytest.mark.slow
def test_the_display_stays_as_it_was_when_the_estimator_trains_on():
    model = InTurns().fit(X, Y)
    display = HistoryDisplay.from_estimator(model, ax=Figure().subplots())

    model.history_.append({"epoch": 5})

    assert len(display.history) == 4


@pytest.mark.parametrize(
    "around",
    [
        lambda model: make_pipeline(StandardScaler(), model),
        lambda model: GridSearchCV(model, {"epochs": [2]}, cv=2),
        lambda model: GridSearchCV(
            make_pipeline(StandardScaler(), model), {"inturns__epochs": [2]}, cv=2
        ),
        lambda model: make_pipeline(
            StandardScaler(), GridSearchCV(model, {"epochs": [2]}, cv=2)
        ),
    ],
    ids=["pipeline", "search", "search of pipeline", "pipeline of search"],
)
def test_pipelines_and_searches_are_seen_through(around):
    outer = around(InTurns()).fit(X, Y)

    display = HistoryDisplay.from_estimator(outer, ax=Figure().subplots())

    assert display.history == InTurns(epochs=2).fit(X, Y).history_
    assert display.name == "InTurns"


@pytest.mark.parametrize(
    "model", [InTurns(), make_pipeline(InTurns()), GridSearchCV(InTurns(), {})]
)
def test_an_estimator_must_be_fitted(model):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        HistoryDisplay.from_estimator(model)


def test_an_estimator_must_have_trained_in_turns():
    ridge = Ridge(alpha=3).fit(X, Y)

    expected = (
        r"a net on several sources, such as SharedNet, got Ridge\(alpha=3\)"
        r", which has no history_\. .* HistoryDisplay\(history, sources\)"
    )
    with pytest.raises(SourceError, match=expected):
        HistoryDisplay.from_estimator(make_pipeline(ridge))


def test_a_history_without_sources_is_not_enough():
    """As that of a net which knows of one dataset only."""
    model = InTurns().fit(X, Y)
    del model.sources_

    with pytest.raises(SourceError, match=r"got InTurns\(\), which has no sources_"):
        HistoryDisplay.from_estimator(model)


@pytest.mark.parametrize("history", [[], [{"epoch": 1, "batches": []}]])
def test_a_history_needs_one_finished_epoch(history):
    with pytest.raises(SourceError, match=r"no finished epoch.* Train for one epoch"):
        draw(history, ["red"])


def test_the_frame_holds_a_row_per_epoch_and_nan_where_none_trained():
    pytest.importorskip("pandas")
    history = train(["red", "white"], [["red"], ["white"]])

    frame = HistoryDisplay(history, ["red", "white"]).to_frame()

    assert frame["epoch"].tolist() == [1, 2]
    assert frame["source"].tolist() == ["red", "white"]
    assert frame["valid_loss[white]"].tolist() == [3.0, 1.5]
    np.testing.assert_array_equal(frame["train_loss[white]"], [np.nan, 1.0])
    assert frame.columns[2:].tolist() == [
        "train_loss",
        "train_loss[red]",
        "train_loss[white]",
        "valid_loss",
        "valid_loss[red]",
        "valid_loss[white]",
        "valid_loss_macro",
    ]


def test_the_frame_has_no_columns_of_losses_never_taken():
    pytest.importorskip("pandas")
    history = train(["red", "white"], [["red"]], validate=False)

    frame = HistoryDisplay(history, ["red", "white"]).to_frame()

    assert list(frame) == ["epoch", "source", "train_loss", "train_loss[red]"]


def test_only_drawing_needs_matplotlib_and_only_the_frame_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "pandas", None)

    display = HistoryDisplay(train(["red"], [["red"]]), ["red"])

    assert display.best_epoch_ == 1
    with pytest.raises(
        ImportError, match=r'HistoryDisplay needs matplotlib.*"sktandem\[notebook\]"'
    ):
        display.plot()
    with pytest.raises(ImportError, match="to_frame needs pandas"):
        display.to_frame()
