"""What a comparison says: words by rule, numbers, tables, HTML and Markdown."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktandem._inference import Difference, judge, rows_needed
from sktandem._page import html_page
from sktandem.model_selection._comparison import Contrast, Design, StrategyComparison
from sktandem.model_selection._wording import plain, with_interval

finite = st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: round(x, 6))


def contrast(source="clinic", strategy="merged", low=0.1, high=0.3, **changed):
    """Return a contrast of an interval, its verdict by the rule."""
    margin, n = changed.get("margin", 0.05), changed.get("n_rows", 812)
    gain, loss = (low + high) / 2, changed.get("reference_loss", 5.0)
    verdict = judge(low, high, margin)
    needed = rows_needed(n, low, high, margin) if verdict == "too few rows" else None
    known = {
        "n_rows": n,
        "n_units": n,
        "reference_loss": loss,
        "loss": loss - gain,
        "difference": Difference(gain, (high - low) / 4, n - 1, n),
        "margin": margin,
        "verdict": verdict,
        "n_needed": needed,
        "reference_score": 0.7,
        "score": 0.75,
        "score_gain": 0.05,
        "score_low": 0.01,
        "score_high": 0.09,
    }
    return Contrast(source, strategy, low=low, high=high, **{**known, **changed})


def comparison(*contrasts, sources=("clinic", "lab"), **changed):
    names = dict.fromkeys(["own models", *(c.strategy for c in contrasts)])
    known = {
        "loss": "log loss",
        "metric": "roc_auc",
        "reference": "own models",
        "strategies": names,
        "estimator": None,
        "sources": sources,
        "n_splits": 10,
        "n_repeats": 5,
        "margin": 0.01,
        "alpha": 0.05,
        "level": 0.01,
        "grouped": False,
    }
    return StrategyComparison(contrasts, Design(**{**known, **changed}))


SEVERAL = comparison(
    contrast("clinic", "merged", 0.1, 0.3),
    contrast("clinic", "stacked", 0.2, 0.6),
    contrast("clinic", "heads", -0.1, 1.9),
    contrast("lab", "merged", -0.03, 0.3, n_rows=90),
    contrast("lab", "stacked", -0.7, -0.2, n_rows=90),
    contrast("lab", "heads", -0.1, 0.01, n_rows=90),
)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.09, "helps"),
        (0.01, 0.04, "helps by less than 0.05"),
        (0.05, 0.09, "helps"),
        (0.06, 0.09, "helps by more than 0.05"),
        (-0.09, -0.01, "hurts"),
        (-0.04, -0.01, "hurts by less than 0.05"),
        (-0.09, -0.06, "hurts by more than 0.05"),
        (0.0, 0.09, "no worse than 0.05"),
        (-0.04, 0.05, "no worse than 0.05"),
        (-0.04, 0.04, "no difference larger than 0.05"),
        (-0.05, 0.04, "no gain worth 0.05"),
        (-0.05, 0.05, "too few rows to tell: about 812 needed"),
        (-0.1, 0.1, "too few rows to tell: about 3,300 needed"),
    ],
)
def test_the_words_follow_from_the_interval_and_the_margin_alone(low, high, words):
    one = comparison(contrast(low=low, high=high))
    words = words.replace("812", f"{rows_needed(812, low, high, 0.05):,}")

    assert one.verdict_ == {("clinic", "merged"): words}


@given(ends=st.tuples(finite, finite).map(sorted), margin=st.floats(1e-3, 1e3))
def test_full_words_never_say_more_than_the_verdict(ends, margin):
    low, high = ends
    words = contrast(low=low, high=high, margin=margin, strategy="x").words

    if words == "identical to its own model":
        assert low == high == 0
        return
    assert words.startswith(judge(low, high, margin)) or (
        words.startswith("no difference") and -margin < low <= high < margin
    )
    if "by more than" in words:
        assert min(abs(low), abs(high)) > margin
    if "by less than" in words:
        assert max(abs(low), abs(high)) < margin


@given(gain=finite, loss=st.floats(1e-6, 1e6), half=st.floats(0, 1e3))
def test_it_is_never_said_that_there_is_no_effect(gain, loss, half):
    one = contrast(
        low=gain - half, high=gain + half, margin=loss / 100, reference_loss=loss
    )
    said = comparison(one)

    for text in (repr(said), said.summary(), said.to_markdown()):
        assert "no effect" not in text
        assert "nan" not in text


def test_differences_that_are_all_zero_are_identical_whatever_the_verdict():
    same = {"difference": Difference(0.0, 0.0, 811, 812), "low": 0.0, "high": 0.0}
    few = contrast("lab", **same, verdict=None, n_rows=30, score_gain=0.0)
    said = comparison(contrast(**same), few)

    assert set(said.verdict_.values()) == {"identical to its own model"}
    assert "lab leaves every held-out loss as it was." in said.summary()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"n_rows": 34}, "no verdict: 34 rows, 50 are needed"),
        ({"n_units": 34}, "no verdict: 34 groups, 50 are needed"),
        ({"n_rarer": 7}, "no verdict: 7 rows of the rarer class, 20 are needed"),
        ({}, "no verdict: 20 rows of the rarer class are needed"),
        ({"low": np.nan, "high": np.nan}, "no verdict: no interval could be had"),
    ],
)
def test_without_a_verdict_the_words_tell_what_is_lacking(changed, words):
    said = comparison(contrast(verdict=None, **changed))

    assert said.verdict_["clinic", "merged"] == words
    assert said.summary().splitlines()[0].endswith(f" rows), {words}.")


def test_too_few_groups_are_counted_in_groups():
    few = contrast(low=-1.0, high=1.0, n_units=200, n_needed=80_000)

    assert few.words == "too few rows to tell: about 80,000 groups needed"


def test_the_best_has_the_largest_gain_of_those_that_help():
    """Heads gain most on the clinic, but by too few rows to tell."""
    assert SEVERAL.best_ == {"clinic": "stacked", "lab": "own models"}


def test_the_frame_has_the_reference_first_and_all_numbers():
    pytest.importorskip("pandas")

    frame = SEVERAL.frame()

    assert list(frame.columns) == [
        *("source", "strategy", "n_rows", "loss", "gain", "low", "high", "margin"),
        *("verdict", "n_needed"),
        *("roc_auc", "roc_auc_gain", "roc_auc_low", "roc_auc_high"),
    ]
    names = ["own models", "merged", "stacked", "heads"]
    assert list(frame["strategy"]) == names * 2
    assert list(frame["source"]) == ["clinic"] * 4 + ["lab"] * 4
    own, merged = frame.iloc[0], frame.iloc[1]
    assert own["verdict"] == "reference"
    assert np.isnan(own[["gain", "low", "high", "roc_auc_gain"]].astype(float)).all()
    assert own["loss"] - merged["loss"] == pytest.approx(merged["gain"]) == 0.2
    assert (own["roc_auc"], merged["roc_auc"]) == (0.7, 0.75)
    assert frame["n_needed"].isna().tolist() == [True] * 3 + [False] + [True] * 4


def test_a_source_is_summed_up_by_its_best_strategy_and_the_rest_by_name():
    clinic, lab, how, about = SEVERAL.summary().splitlines()

    assert clinic == (
        'On clinic (812 rows), lab helps. With "stacked", the best of 2 strategies '
        "that help, log loss falls from 5.00 to 4.60, by 0.40 [0.20, 0.60], and "
        "roc_auc rises from 0.700 to 0.750, by 0.050 [0.010, 0.090]. The other "
        'strategies: "merged" (helps by more than 0.05); "heads" (too few rows to '
        "tell)."
    )
    assert lab.startswith(
        "On lab (90 rows), clinic is not shown to help; at best it is no worse than "
        '0.05. With "merged", which has the lowest log loss of 3 strategies, log '
    )
    assert "The 6 intervals of log loss that have a verdict hold together" in how
    assert "each by itself with 99 %" in how
    assert "1 % of the own model's log loss as the margin" in how
    assert "which flatter it" in how
    assert "expected difference between strategies" in about
    assert "not about the difference between two fitted models" in about


@pytest.mark.parametrize(
    ("low", "high", "claim"),
    [
        (0.01, 0.09, "lab helps."),
        (0.01, 0.04, "lab helps, by less than 0.05."),
        (-0.3, -0.1, "lab hurts."),
        (-0.04, 0.3, "lab is not shown to help; it is no worse than 0.05."),
        (-0.04, 0.04, "lab makes no difference larger than 0.05."),
        (-0.3, 0.04, "lab brings no gain worth 0.05."),
        (-0.3, 0.3, "there are too few rows to tell whether lab helps: about 30,000"),
    ],
)
def test_each_verdict_has_a_sentence(low, high, claim):
    """A single strategy of a primary source: the lab is trained on, not tested."""
    said = comparison(contrast(low=low, high=high)).summary().splitlines()

    assert said[0].startswith(f"On clinic (812 rows), {claim}")
    assert 'With "merged", log loss' in said[0]
    assert "other strateg" not in said[0]
    assert "The interval of log loss holds with 95 %." in said[1]
    assert "flatter" not in said[1]


@pytest.mark.parametrize(
    ("best", "claim"),
    [
        ((-0.04, 0.04), "lab makes no difference larger than 0.05 at best."),
        ((-0.09, -0.01), "lab hurts, even at best."),
        ((-0.4, 0.04), "lab brings no gain worth 0.05, even at best."),
    ],
)
def test_what_holds_for_the_best_alone_is_not_said_of_all(best, claim):
    worst = contrast(strategy="only lab", low=-3.0, high=-2.0)
    said = comparison(contrast(low=best[0], high=best[1]), worst).summary()

    assert said.startswith(f"On clinic (812 rows), {claim}")
    assert 'The other strategy: "only lab" (hurts by more than 0.05).' in said


def test_strategies_of_one_fate_are_named_together():
    """Names may hold commas; how many rows each would need is in the table."""
    wide = [
        contrast(strategy=f"merged, {n}", low=-n, high=n - 0.1) for n in (9, 8, 7, 6)
    ]
    said = comparison(*wide, contrast(strategy="heads", low=-3.0, high=-2.0)).summary()

    assert (
        'The other strategies: "merged, 8", "merged, 7", "merged, 6" (too few rows to '
        'tell); "heads" (hurts by more than 0.05).'
    ) in said


def test_an_identical_strategy_beside_one_that_hurts():
    same = contrast(difference=Difference(0.0, 0.0, 811, 812), low=0.0, high=0.0)
    said = comparison(same, contrast(strategy="heads", low=-3.0, high=-2.0)).summary()

    assert said.startswith(
        'On clinic (812 rows), lab is not shown to help, and with "merged" leaves '
        'every held-out loss as it was. The other strategy: "heads" (hurts by more '
    )


def test_a_metric_without_a_value_is_told_as_such():
    nothing = dict.fromkeys(("score", "score_gain", "score_low", "score_high"), np.nan)

    assert "and roc_auc has no value." in comparison(contrast(**nothing)).summary()


def test_levels_near_one_are_not_rounded_to_certainty():
    said = comparison(contrast(), contrast("lab"), level=0.00013).summary()

    assert "each by itself with 99.99 %" in said


def test_a_loss_that_rises_is_told_with_its_interval_the_other_way_round():
    said = comparison(contrast(low=-0.3, high=-0.1)).summary()

    assert "log loss rises from 5.00 to 5.20, by 0.20 [0.10, 0.30]" in said


def test_more_than_two_sources_are_the_other_sources():
    said = comparison(contrast(), contrast("lab", low=-2.0, high=-1.0), sources="abc")

    clinic, lab, *_ = said.summary().splitlines()
    assert clinic.startswith("On clinic (812 rows), the other sources help.")
    assert lab.startswith("On lab (812 rows), the other sources hurt.")


def test_sources_that_are_numbers_are_called_sources():
    said = comparison(contrast(0), sources=(0, 1)).summary()

    assert said.startswith("On source 0 (812 rows), source 1 helps.")


def test_notes_groups_and_the_absolute_margin_are_told():
    said = comparison(
        contrast(), grouped=True, loss="zero-one loss", notes=("Mind the gap.",)
    ).summary()

    assert said.endswith("\nMind the gap.")
    assert "held-out groups" in said
    assert "Decided on zero-one loss, with 0.01 as the margin." in said


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.000012, "0.000012"),
        (0.005, "0.005"),
        (0.41234, "0.412"),
        (0.99996, "1"),
        (100.0, "100"),
        (1234.4, "1,234"),
        (1_234_567.8, "1,234,568"),
        (-0.5, "-0.5"),
        (0.0, "0"),
        (1.25e-12, "1.25e-12"),
    ],
)
def test_a_number_has_three_figures(value, text):
    assert plain(value) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.019, 0.007, 0.031), "0.019 [0.007, 0.031]"),
        ((0.015, 0.0004, 0.0296), "0.0150 [0.0004, 0.0296]"),
        ((4862.0, 2431.0, 7293.0), "4,862 [2,431, 7,293]"),
        ((0.0, 0.0, 0.0), "0"),
        ((0.25, np.nan, np.nan), "0.250"),
        ((4.92e-8, 1.23e-8, 8.61e-8), "4.9e-08 [1.2e-08, 8.6e-08]"),
    ],
)
def test_an_interval_has_the_decimals_of_its_width(numbers, text):
    assert with_interval(*numbers) == text


@given(low=st.floats(1e-9, 1e6), width=st.floats(1e-3, 1e3))
def test_an_end_near_zero_is_not_shown_as_zero(low, width):
    high = low * (1 + width)
    shown = with_interval((low + high) / 2, low, high)
    first = float(re.search(r"\[([^,]+(?:,\d{3})*),", shown)[1].replace(",", ""))

    assert first > 0


class Reader(HTMLParser):
    """Collects the cells of the table and the tags of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.rows, self.held = [], [], None

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        self.held = "" if tag in ("td", "th") else None

    def handle_data(self, data):
        if self.held is not None:
            self.rows[-1].append(data)


def test_the_html_stands_alone_and_escapes_every_name():
    pytest.importorskip("matplotlib")
    named = comparison(
        contrast("<b>clinic", "<i>merged&"),
        sources=("<b>clinic", "$lab_1$"),
        notes=("a <script> here",),
    )

    html = named.to_html()

    read = Reader()
    read.feed(html)
    assert not {"b", "i", "script", "link"} & set(read.tags)
    assert read.rows[2][:4] == ["<b>clinic", "<i>merged&", "812", "4.80"]
    assert html.count("<img") == 1
    assert 'src="data:image/png;base64,' in html
    assert "http" not in html
    assert named._repr_html_() == html
    assert len(html_page("Two clinics", html)) < 100_000


def test_the_table_in_letters_has_a_line_for_each_strategy():
    lines = repr(SEVERAL).splitlines()

    names = ["source", *["clinic"] * 4, *["lab"] * 4]
    assert [line.split()[0] for line in lines] == names
    assert re.split(r"\s{2,}", lines[2]) == [
        *("clinic", "merged", "812", "4.80", "0.20 [0.10, 0.30]"),
        *("helps by more than 0.05", "0.750"),
    ]


@pytest.mark.parametrize("name", ["lab", "a|b", "*x*", "line\nbreak", "back\\slash"])
def test_the_markdown_table_keeps_its_cells_whatever_the_names(name):
    said = comparison(contrast(name, name), sources=(name, "other"))

    table = [t for t in said.to_markdown().splitlines() if t.startswith("|")]

    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table]
    assert [len(row) for row in rows] == [8] * 4
    assert set(rows[1]) <= {" --- ", " ---: "}
    read = re.sub(r"\\(\W)", r"\1", rows[3][0].strip())
    assert read == " ".join(name.split())


@pytest.mark.slow
def test_without_the_heavy_libraries_there_are_words_tables_and_html():
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "skorch", "pandas", "matplotlib"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
from sktandem._inference import Difference
from sktandem.model_selection._comparison import Contrast, Design, StrategyComparison
one = Contrast("a", "merged", 90, 90, 1.0, 0.8, Difference(0.2, 0.05, 89, 90), 0.1,
               0.3, 0.01, "helps", None, 0.7, 0.75, 0.05, 0.01, 0.09)
design = Design("log loss", "roc_auc", "own models", {"own models": 0, "merged": 0},
                None, ("a", "b"), 10, 5, 0.01, 0.05, 0.05, False)
said = StrategyComparison((one,), design)
assert "helps" in repr(said) and "helps" in said.summary()
assert "<img" not in said.to_html() and "helps" in said.to_html()
for call in (said.frame, said.plot):
    try:
        call()
    except ImportError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    cure = 'Install it with: pip install "sktandem[notebook]"'
    assert done.stdout.splitlines() == [
        f"frame needs pandas. {cure}",
        f"StrategyComparisonDisplay needs matplotlib. {cure}",
    ]


def test_what_it_takes_to_tell_is_told_for_the_gain_as_it_looks():
    """Half the width is 0.2: four times as wide as the gain takes 16 times as many."""
    unsure = contrast(low=-0.3, high=0.5, n_needed=52_000, verdict="too few rows")

    said = comparison(unsure).summary()

    assert "if the gain is as large as it looks, about 13,000 would show it" in said
    assert "to tell of any gain worth 0.05 takes about 52,000" in said
