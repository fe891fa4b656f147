"""The forest plot: its elements are the numbers of the comparison."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sktandem.inspection import StrategyComparisonDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib.colors import to_hex  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402


def contrast(source="clinic", strategy="merged", low=0.1, high=0.3, **changed):
    """Return what the display reads of a contrast; own models lose 5."""
    known = {
        "reference_loss": 5.0,
        "difference": SimpleNamespace(estimate=(low + high) / 2),
        "margin": 0.05,
        "verdict": "helps" if low > 0 else "harms" if high < 0 else "cannot tell yet",
        "n_rows": 1812,
        "score_texts": ("0.700", "0.750"),
        "words": "as the rule has it",
    }
    names = {"source": source, "strategy": strategy, "low": low, "high": high}
    return SimpleNamespace(**{**names, **known, **changed})


def comparison(*contrasts, **changed):
    known = {
        "loss": "log loss",
        "metric": "roc_auc",
        "reference": "own models",
        "sources": ("clinic", "lab", "ward"),
        "margin": 0.01,
    }
    return SimpleNamespace(
        contrasts=contrasts, design=SimpleNamespace(**{**known, **changed})
    )


def draw(*contrasts, **changed):
    """Draw on a figure that pyplot does not know of."""
    return StrategyComparisonDisplay.from_comparison(
        comparison(*contrasts, **changed), ax=Figure().subplots()
    )


@pytest.mark.parametrize("name", ["", " ", "$", "a$b"])
def test_any_name_can_be_drawn(name):
    display = draw(contrast(name), sources=(name, "lab"))

    assert name in texts(display)


def xs(line):
    return [float(x) for x in line.get_xdata()]


def texts(display):
    return [text.get_text() for text in display.ax_.texts]


def band(display, source):
    x = display.bands_[source].get_paths()[0].vertices[:, 0]
    return float(x.min()), float(x.max())


@pytest.mark.slow
@settings(max_examples=25)
@given(
    ends=st.tuples(st.floats(-50, 50), st.floats(-50, 50)).map(sorted),
    loss=st.floats(1e-6, 1e6),
)
def test_gains_are_in_percent_of_the_own_models_loss(ends, loss):
    low, high = (end * loss / 100 for end in ends)

    display = draw(contrast(low=low, high=high, reference_loss=loss, margin=loss / 100))

    key = ("clinic", "merged")
    np.testing.assert_allclose(xs(display.intervals_[key]), ends, atol=1e-9)
    np.testing.assert_allclose(xs(display.points_[key]), np.mean(ends), atol=1e-9)
    np.testing.assert_allclose(band(display, "clinic"), (-1, 1))


def test_zero_one_losses_are_in_percentage_points():
    display = draw(
        contrast(low=0.01, high=0.03, margin=0.01), loss="zero-one loss", margin=0.01
    )

    assert xs(display.intervals_["clinic", "merged"]) == pytest.approx([1, 3])
    assert band(display, "clinic") == pytest.approx((-1, 1))
    assert "percentage points" in display.ax_.get_xlabel()


def test_a_source_has_one_colour_by_its_place_among_all_sources():
    """The lab is the second source, though the first is not shown."""
    display = draw(contrast("lab"), contrast("lab", "stacked"), contrast("ward"))

    colors = {key: to_hex(p.get_color()) for key, p in display.points_.items()}
    assert colors == {
        ("lab", "merged"): "#d9a520",
        ("lab", "stacked"): "#d9a520",
        ("ward", "merged"): "#a34d8d",
    }
    for key, line in display.intervals_.items():
        assert line.get_color() == colors[key]


def test_dots_are_filled_where_the_interval_leaves_out_zero():
    display = draw(
        contrast(strategy="up"),
        contrast(strategy="down", low=-0.3, high=-0.1),
        contrast(strategy="unsure", low=-0.3, high=0.1),
    )

    filled = {
        name: dot.get_markerfacecolor() == dot.get_color()
        for (_, name), dot in display.points_.items()
    }
    assert filled == {"up": True, "down": True, "unsure": False}


def test_blocks_go_down_in_order_and_each_row_has_its_texts():
    display = draw(contrast(), contrast(strategy="stacked"), contrast("lab"))

    heights = [float(dot.get_ydata()[0]) for dot in display.points_.values()]
    assert heights == sorted(heights)
    assert display.ax_.yaxis_inverted()
    for (_, name), row in display.texts_.items():
        shown = [text.get_text().strip() for text in row]
        assert shown == [name, "0.700 → 0.750", "1,812", "as the rule has it"]
    assert {"clinic", "lab", "← harms", "helps →", "rows", "verdict"} <= {
        *texts(display)
    }


def test_one_long_interval_does_not_squash_the_others():
    rows = [contrast(strategy=f"s{i}", low=-0.1, high=0.2) for i in range(4)]
    far = contrast(strategy="far", low=-90.0, high=-80.0)
    long = contrast(strategy="long", low=-0.2, high=60.0)

    display = draw(*rows, far, long)

    left, right = display.ax_.get_xlim()
    assert -40 < left < -2
    assert 4 < right < 40
    counts = {name: len(arrows) for (_, name), arrows in display.arrows_.items()}
    assert counts == {**{f"s{i}": 0 for i in range(4)}, "far": 1, "long": 1}
    assert xs(display.arrows_["clinic", "far"][0]) == [left]
    assert "-1,700 %" in texts(display)


def test_a_slightly_longer_interval_has_no_arrow():
    display = draw(contrast(), contrast(strategy="longer", low=-0.2, high=0.5))

    assert not any(display.arrows_.values())


def test_sources_with_too_few_rows_do_not_set_the_scale():
    small = [contrast("ward", f"s{i}", low=-9, high=9, verdict=None) for i in range(5)]

    display = draw(contrast(), *small)

    assert max(np.abs(display.ax_.get_xlim())) < 20
    assert len(display.arrows_["ward", "s0"]) == 2


def test_an_interval_that_could_not_be_had_is_missing():
    display = draw(contrast(low=np.nan, high=np.nan, verdict=None))

    assert display.intervals_ == {}
    assert ("clinic", "merged") in display.points_


def test_models_without_any_loss_have_texts_and_no_place_on_the_axis():
    display = draw(contrast(low=0.0, high=0.0, reference_loss=0.0, margin=0.0))

    assert np.isnan(xs(display.points_["clinic", "merged"])).all()
    assert len(display.texts_["clinic", "merged"]) == 4
    display.figure_.savefig("/dev/null", format="png")


def test_names_are_letters_and_never_formulas():
    display = draw(contrast("$a_1$", "$"), sources=("$a_1$",))

    display.figure_.savefig("/dev/null", format="png")
    assert all(not text.get_parse_math() for text in display.texts_["$a_1$", "$"])


def test_the_figure_grows_with_rows_and_names():
    def size(*contrasts):
        made = comparison(*contrasts)
        return StrategyComparisonDisplay(made.contrasts, made.design).figsize

    one = size(contrast())
    more = size(contrast(), contrast(strategy="stacked"))
    longer = size(contrast(strategy="stacked on predictions of the other"))
    assert more[1] > one[1]
    assert longer[0] > more[0]


def test_on_no_axes_a_new_figure_as_large_as_it_asks_is_made():
    import matplotlib.pyplot as plt

    display = StrategyComparisonDisplay.from_comparison(
        comparison(contrast()), name="Two clinics"
    )

    try:
        assert plt.get_fignums()
        assert tuple(display.figure_.get_size_inches()) == display.figsize
        assert display.ax_.get_title() == "Two clinics"
        display.figure_.canvas.draw()
        whole = display.figure_.bbox
        for row in display.texts_.values():
            for text in row:
                box = text.get_window_extent()
                assert whole.x0 - 1 <= box.x0
                assert box.x1 <= whole.x1 + 1
    finally:
        plt.close(display.figure_)


@pytest.mark.slow
def test_columns_do_not_run_into_each_other():
    long = contrast(words="cannot tell yet: about 120,000 groups needed", n_rows=10**9)
    display = StrategyComparisonDisplay([long, contrast("lab")], comparison().design)
    display.plot(Figure(figsize=display.figsize, layout="constrained").subplots())

    display.figure_.draw_without_rendering()

    for row in display.texts_.values():
        boxes = [text.get_window_extent() for text in row]
        assert all(a.x1 < b.x0 for a, b in pairwise(boxes))


def test_only_drawing_needs_matplotlib(monkeypatch):
    import sys

    made = comparison(contrast())
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(ImportError, match=r"StrategyComparisonDisplay needs matplotl"):
        StrategyComparisonDisplay.from_comparison(made)
