"""The picture of scores by source."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from sktandem.inspection import SourceScoresDisplay
from sktandem.model_selection import SourceScores, SourceScoreTable

ROWS = {"clinic": 50, "lab": 1200}
ACCURACY = SourceScores("accuracy", 0.75, {"clinic": 0.9, "lab": 0.7}, ROWS)
AUC = SourceScores("roc_auc", np.nan, {"clinic": 0.8, "lab": np.nan}, ROWS)
BOTH = SourceScoreTable({"accuracy": ACCURACY, "roc_auc": AUC})


def test_each_source_has_a_dot_and_all_rows_a_line():
    display = ACCURACY.plot(Figure().subplots(), name="two sites")

    assert isinstance(display, SourceScoresDisplay)
    for place, (name, score) in enumerate(ACCURACY.by_source.items()):
        (x,), (y,) = display.points_["accuracy", name].get_data()
        assert (x, y) == (score, place)
    assert list(display.lines_["accuracy"].get_xdata()) == [0.75, 0.75]
    labels = [label.get_text() for label in display.axes_[0].get_yticklabels()]
    assert labels == ["clinic (50 rows)", "lab (1,200 rows)"]
    assert display.axes_[0].get_title() == "two sites"


def test_sources_have_their_colours_and_what_is_nan_has_no_dot():
    display = BOTH.plot(Figure().subplots(1, 2))

    colors = {name: p.get_color() for (_, name), p in display.points_.items()}
    assert len(set(colors.values())) == 2
    assert ("roc_auc", "lab") not in display.points_
    assert "roc_auc" not in display.lines_
    assert len(display.axes_) == 2


def test_names_of_sources_are_no_formulas():
    odd = SourceScores("r2", 0.5, {"$a_1$": 0.5, "b": 0.4}, {"$a_1$": 1, "b": 1})

    display = odd.plot(Figure().subplots(), name="$x$")

    labels = [*display.axes_[0].get_yticklabels(), display.axes_[0].title]
    assert not any(label.get_parse_math() for label in labels)


def test_every_metric_needs_axes_of_its_own():
    with pytest.raises(ValueError, match="There are 2 metrics, got 1 axes"):
        BOTH.plot(Figure().subplots())


def test_without_axes_a_figure_is_made(monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")

    display = BOTH.plot()

    assert len(display.figure_.axes) == 2
    plt.close(display.figure_)
