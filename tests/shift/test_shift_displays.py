"""The pictures of a shift report hold its numbers, in the sources' colours."""

import numpy as np
import pytest

from sktandem import SourceScaler
from sktandem.datasets import load_heart_disease
from sktandem.exceptions import SourceError
from sktandem.inspection import ShiftDisplay, ShiftImportanceDisplay
from sktandem.report._drawing import COLORS, DARK
from sktandem.shift import shift_report

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib.colors import to_hex  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

SOURCE = np.repeat(["red", "white"], 150)


def moved(width=4):
    X = np.random.default_rng(0).normal(size=(300, width))
    X[SOURCE == "white", 0] += 2
    return X


@pytest.fixture(scope="module")
def report():
    return shift_report(moved(), moved()[:, 1], sample_source=SOURCE)


def axes():
    return Figure().subplots()


@pytest.mark.slow
def test_the_bars_are_the_distances_and_dark_where_flagged(report):
    display = ShiftDisplay.from_report(report, ax=axes())

    widths = [bar.get_width() for bar in display.bars_]
    assert widths == [f.size for f in report.features]
    dark = [to_hex(bar.get_facecolor()) == DARK for bar in display.bars_]
    assert dark == [f.flagged for f in report.features] == [True, False, False, False]
    assert [b.get_width() for b in display.chance_] == [
        f.chance for f in report.features
    ]


def test_each_bar_has_its_values_in_the_colours_of_the_sources(report):
    display = report.plot(axes())

    assert len(display.histograms_) == 4
    lines = display.histograms_[0].patches[::2]
    assert [to_hex(line.get_edgecolor()) for line in lines] == list(COLORS[:2])
    for line, shares in zip(lines, report.features[0].shares):
        np.testing.assert_array_equal(line.get_data().values, shares)


def test_no_more_features_are_drawn_than_asked_for(report):
    display = report.plot(axes(), n_features=2)

    assert len(display.bars_) == len(display.histograms_) == 2
    assert "not drawn: 2 columns" in display.ax_.get_xlabel()


def test_a_dot_marks_the_distance_before_scaling():
    report = shift_report(moved(), None, sample_source=SOURCE, after=SourceScaler())

    display = report.plot(axes())

    assert list(display.before_.get_xdata()) == [
        report.size_before[f.name] for f in report.features
    ]


def test_points_stand_at_distance_and_importance(report):
    display = report.plot(axes(), kind="importance")

    assert isinstance(display, ShiftImportanceDisplay)
    np.testing.assert_allclose(
        display.points_.get_offsets(),
        [(f.size, f.importance) for f in report.features],
    )
    assert {text.get_text() for text in display.texts_} == {"0", "1"}


@pytest.mark.slow
def test_names_do_not_cover_each_other():
    heart = load_heart_disease(as_frame=True)
    report = shift_report(heart.data, heart.target, sample_source=heart.sample_source)

    display = report.plot(axes(), kind="importance")

    boxes = [text.get_window_extent() for text in display.texts_]
    assert len(boxes) > 3
    for place, box in enumerate(boxes):
        assert not box.count_overlaps(boxes[:place])


def test_without_axes_a_figure_is_made(report):
    display = report.plot()

    assert display.figure_ is display.ax_.figure
    matplotlib.pyplot.close(display.figure_)


def test_importance_needs_y():
    report = shift_report(moved(), None, sample_source=SOURCE)

    with pytest.raises(SourceError, match="measured no importance, which needs y"):
        report.plot(axes(), kind="importance")


def test_a_table_without_a_comparable_column_has_no_picture():
    report = shift_report(
        np.where(SOURCE == "red", 1.0, np.nan)[:, None], None, sample_source=SOURCE
    )

    with pytest.raises(SourceError, match="No column can be compared"):
        report.plot(axes())
    assert "<svg" not in report.to_html()
