"""Learning curves by source: the record, what it is worth, and the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktandem.inspection import LearningCurveBySourceDisplay
from sktandem.model_selection._curve import SourceLearningCurve

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib.figure import Figure  # noqa: E402

SIZES = (50, 100, 200, 400)
OWN = np.array([0.8, 0.6, 0.5, 0.4])


def curve_of(losses, own=OWN, half=0.03, sizes=SIZES, **changed):
    own = np.asarray(own, dtype=float)
    losses = {name: np.asarray(values, dtype=float) for name, values in losses.items()}
    gains = {name: own - values for name, values in losses.items()}
    known = {
        "source": "clinic",
        "loss": "log loss",
        "metric": "roc_auc",
        "scores": {"own models": 1 - own, **{n: 1 - v for n, v in losses.items()}},
        "margin": 0.01,
        "level": 0.05,
        "reference": "own models",
        "n_other": 2400,
        "n_repeats": 20,
        "sources": ("lab", "clinic"),
    }
    return SourceLearningCurve(
        strategies=tuple(losses),
        sizes=sizes,
        gains=gains,
        lows={name: gain - half for name, gain in gains.items()},
        highs={name: gain + half for name, gain in gains.items()},
        reference_losses=own,
        losses=losses,
        **{**known, **changed},
    )


CURVE = curve_of({"merged": [0.6, 0.55, 0.5, 0.42], "only lab": [0.7] * 4})


def test_a_strategy_is_worth_the_rows_its_own_model_needs_for_the_same_loss():
    """0.6 is what 100 rows reach; halfway to 200 in logs is 141."""
    assert CURVE.worth_["merged"] == (50, 41, 0, -52)
    assert CURVE.worth_["only lab"] == (21, -29, -129, -329)


def test_a_loss_beyond_the_curve_has_no_worth():
    curve = curve_of({"best": [0.3] * 4, "worst": [0.9] * 4, "last": [0.4] * 4})

    assert curve.worth_["best"] == curve.worth_["worst"] == (None,) * 4
    assert curve.worth_["last"] == (350, 300, 200, 0)
    assert "beyond" in repr(curve)


def test_a_curve_that_rises_by_chance_is_made_to_fall():
    """100 and 200 rows share a mean of 0.5, of which the fewest rows count."""
    curve = curve_of({"merged": [0.5] * 4}, own=[0.8, 0.45, 0.55, 0.4])

    assert curve.worth_["merged"] == (50, 0, -100, -300)


@given(
    power=st.floats(0.1, 1),
    sizes=st.lists(st.integers(10, 10_000), min_size=2, max_size=8, unique=True),
    data=st.data(),
)
def test_more_gain_is_worth_more_rows(power, sizes, data):
    sizes = tuple(sorted(sizes))
    own = np.array(sizes, dtype=float) ** -power
    inside = st.floats(float(own[-1]), float(own[0]))
    better, worse = sorted(data.draw(st.tuples(inside, inside)))
    curve = curve_of(
        {"better": [better] * len(sizes), "worse": [worse] * len(sizes)}, own, 0, sizes
    )

    more, less = curve.worth_["better"], curve.worth_["worse"]

    assert all(b is None or w is None or b >= w for b, w in zip(more, less))
    reached = [n + extra for n, extra in zip(sizes, less) if extra is not None]
    assert all(sizes[0] <= rows <= sizes[-1] for rows in reached)


def test_the_verdict_at_each_size_follows_from_its_interval():
    assert CURVE.verdict_ == {
        "merged": ("helps", "helps", "cannot tell yet", "cannot tell yet"),
        "only lab": ("helps", "harms", "harms", "harms"),
    }


def test_the_frame_has_a_row_for_each_size_and_strategy():
    pytest.importorskip("pandas")

    frame = CURVE.to_frame()

    assert list(frame["n_rows"]) == [n for n in SIZES for _ in range(3)]
    assert list(frame["strategy"][:3]) == ["own models", "merged", "only lab"]
    merged = frame[frame["strategy"] == "merged"]
    np.testing.assert_array_equal(merged["loss"], CURVE.losses["merged"])
    np.testing.assert_array_equal(merged["low"], CURVE.lows["merged"])
    np.testing.assert_array_equal(merged["roc_auc"], CURVE.scores["merged"])
    assert merged["worth"].tolist() == [50, 41, 0, -52]
    own = frame[frame["strategy"] == "own models"]
    assert own["gain"].isna().all()
    assert set(own["verdict"]) == {"reference"}


def test_the_summary_tells_of_the_fewest_and_the_most_rows():
    merged, lab, how = CURVE.summary().splitlines()

    assert merged == (
        "On clinic, merged is shown to help at 50, 100 rows: with 50 rows of its own, "
        "log loss falls from 0.800 to 0.600, by 0.200 [0.170, 0.230], as about 50 more "
        "rows of its own would do; with 400 rows of its own, log loss rises from 0.400 "
        "to 0.420, by 0.020 [-0.010, 0.050]."
    )
    assert lab.startswith("On clinic, only lab is shown to help at 50 rows:")
    assert "2,400 rows of other sources" in how
    assert "no effect" not in CURVE.summary()


def test_lines_and_shades_are_the_losses_and_their_intervals():
    display = LearningCurveBySourceDisplay.from_curve(CURVE, ax=Figure().subplots())

    np.testing.assert_array_equal(display.lines_["own models"].get_ydata(), OWN)
    for name in CURVE.strategies:
        line = display.lines_[name]
        assert list(line.get_xdata()) == list(SIZES)
        np.testing.assert_array_equal(line.get_ydata(), CURVE.losses[name])
        shade = display.bands_[name].get_paths()[0].vertices[:, 1]
        assert shade.max() == pytest.approx(np.max(CURVE.losses[name] + 0.03))
        assert shade.min() == pytest.approx(np.min(CURVE.losses[name] - 0.03))


def test_the_own_model_has_the_colour_of_its_source_and_strategies_others():
    known = LearningCurveBySourceDisplay.from_curve(CURVE, ax=Figure().subplots())
    alone = curve_of({"merged": OWN}, sources=())
    unknown = LearningCurveBySourceDisplay.from_curve(alone, ax=Figure().subplots())

    assert known.lines_["own models"].get_color() == "#d9a520"
    assert unknown.lines_["own models"].get_color() == "#3b6ea5"
    colors = [line.get_color() for line in known.lines_.values()]
    assert len(set(colors)) == 3


def test_every_size_has_a_tick_on_a_scale_of_doublings():
    curve = curve_of({"$m": [0.1] * 3}, own=[0.3, 0.2, 0.1], sizes=(50, 1000, 20000))

    display = curve.plot(ax=Figure().subplots())

    ticks = [tick.get_text() for tick in display.ax_.get_xticklabels()]
    assert ticks == ["50", "1,000", "20,000"]
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_ylabel() == "Log loss"
    assert display.ax_.get_title() == "clinic, beside 2,400 rows of other sources"
    display.figure_.savefig("/dev/null", format="png")


def test_on_no_axes_a_new_figure_is_made():
    import matplotlib.pyplot as plt

    display = CURVE.plot(name="Rows")

    try:
        assert plt.get_fignums()
        assert display.ax_.get_title() == "Rows"
    finally:
        plt.close(display.figure_)


def test_only_drawing_needs_matplotlib(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)

    assert "merged" in CURVE.summary()
    with pytest.raises(ImportError, match=r"LearningCurveBySourceDisplay needs matpl"):
        CURVE.plot()
