"""What a comparison says: words by rule, numbers, tables, HTML and Markdown."""

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from sktandem import Merged
from sktandem.members import OwnModels, StackedPrediction
from sktandem.model_selection._comparison import Contrast, Design, StrategyComparison
from sktandem.report._page import html_page
from sktandem.report._wording import plain, with_interval
from sktandem.stats._inference import Difference, judge, rows_needed

finite = st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: round(x, 6))


def contrast(source="clinic", strategy="merged", low=0.1, high=0.3, **changed):
    """Return a contrast of an interval, its verdict by the rule."""
    margin, n = changed.get("margin", 0.05), changed.get("n_rows", 812)
    gain, loss = (low + high) / 2, changed.get("reference_loss", 5.0)
    verdict = judge(low, high, margin)
    unsure = verdict == "cannot tell yet" and high >= margin
    needed = rows_needed(n, low, high, margin) if unsure else None
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
    ways = {"own models": OwnModels()} | {c.strategy: Merged() for c in contrasts}
    known = {
        "loss": "log loss",
        "metric": "roc_auc",
        "reference": "own models",
        "strategies": ways,
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
        (0.01, 0.04, "helps a little"),
        (-0.09, -0.01, "harms"),
        (-0.04, -0.01, "harms a little"),
        (0.0, 0.09, "does no harm"),
        (-0.04, 0.05, "does no harm"),
        (-0.04, 0.04, "does no harm, no gain"),
        (-0.05, 0.04, "cannot tell yet: any gain is below 0.05"),
        (-0.1, 0.1, "cannot tell yet: about 3,300 rows needed"),
        (-1.0, 1.0, "cannot tell yet"),
    ],
)
def test_the_words_follow_from_the_interval_and_the_margin_alone(low, high, words):
    one = comparison(contrast(low=low, high=high))

    assert one.verdict_ == {("clinic", "merged"): words}


@given(ends=st.tuples(finite, finite).map(sorted), margin=st.floats(1e-3, 1e3))
def test_full_words_begin_with_the_verdict_and_say_no_more(ends, margin):
    low, high = ends
    words = contrast(low=low, high=high, margin=margin, strategy="x").words

    if low == high == 0:
        assert words == "does no harm: same as its own model"
        return
    assert words.startswith(judge(low, high, margin))
    if "a little" in words:
        assert max(abs(low), abs(high)) < margin
    if "no gain" in words:
        assert -margin < low <= high < margin


@given(gain=finite, loss=st.floats(1e-6, 1e6), half=st.floats(0, 1e3))
def test_it_is_never_said_that_there_is_no_effect(gain, loss, half):
    one = contrast(
        low=gain - half, high=gain + half, margin=loss / 100, reference_loss=loss
    )
    said = comparison(one)

    for text in (repr(said), said.summary(), said.to_markdown()):
        assert "no effect" not in text
        assert "nan" not in text


def test_differences_that_are_all_zero_do_no_harm_however_few_the_rows():
    same = {"difference": Difference(0.0, 0.0, 811, 812), "low": 0.0, "high": 0.0}
    few = contrast("lab", **same, verdict=None, n_rows=30, score_gain=0.0)
    said = comparison(contrast(**same), few)

    assert set(said.verdict_.values()) == {"does no harm: same as its own model"}
    assert "data from clinic do no harm and change nothing" in said.summary()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"n_rows": 34}, "34 rows, at least 50 needed"),
        ({"n_units": 34}, "34 groups, at least 50 needed"),
        ({"n_rarer": 7}, "7 rows of the rarer class, at least 20 needed"),
        ({}, "rows of the rarer class, at least 20 needed"),
        ({"low": np.nan, "high": np.nan}, "no interval"),
    ],
)
def test_without_a_verdict_the_words_say_what_is_missing(changed, words):
    said = comparison(contrast(verdict=None, **changed))

    assert said.verdict_["clinic", "merged"] == f"cannot tell yet: {words}"
    first = said.summary().splitlines()[0]
    assert first.endswith(f" are too few to tell whether data from lab help: {words}.")


def test_too_few_groups_are_counted_in_groups():
    few = contrast(low=-1.0, high=1.0, n_units=200, n_needed=2_000)

    assert few.words == "cannot tell yet: about 2,000 groups needed"


def test_the_table_and_the_sentence_name_one_number_of_rows_or_none():
    near, far = contrast(low=-0.1, high=0.1), contrast(low=-1.0, high=1.5)

    for one, told in ((near, ["3,300"]), (far, [])):
        said = comparison(one)
        assert re.findall(r"about ([\d,]+) rows", one.words) == told
        assert re.findall(r"[Aa]bout ([\d,]+) rows", said._findings()[0]) == told


def test_the_best_has_the_largest_gain_of_those_that_help():
    """Heads gain most on the clinic, but by too few rows to tell."""
    assert SEVERAL.best_ == {"clinic": "stacked", "lab": "own models"}


def test_the_frame_has_the_reference_first_and_all_numbers():
    pytest.importorskip("pandas")

    frame = SEVERAL.to_frame()

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


def test_each_source_has_a_verdict_in_the_metric_asked_for():
    clinic, lab, *_ = SEVERAL.summary().splitlines()

    assert clinic == (
        'For clinic, data from lab help with "stacked": ROC AUC rises from 0.700 to '
        "0.750 (99 % interval of the rise 0.010 to 0.090)."
    )
    assert lab == (
        'For lab, data from clinic do no harm with "merged", but may not help: ROC AUC '
        "rises from 0.700 to 0.750 (99 % interval of the rise 0.010 to 0.090). ROC AUC "
        "alone says that they help: the verdict goes by log loss, which falls from "
        "5.00 to 4.87 (99 % interval of the change -0.30 to 0.03)."
    )


def test_the_exact_statement_names_every_strategy_and_how_it_was_measured():
    clinic, _, how, about = SEVERAL.summary().splitlines()[-4:]

    assert clinic == (
        'On clinic (812 rows), with "stacked", the best of 2 strategies that help, log '
        "loss falls from 5.00 to 4.60, by 0.40 [0.20, 0.60], and ROC AUC rises from "
        "0.700 to 0.750, by 0.050 [0.010, 0.090] (helps). The other strategies: "
        '"merged" (helps); "heads" (cannot tell yet).'
    )
    assert "In 95 % of such comparisons all 6 intervals of log loss are right" in how
    assert "each by itself in 99 %" in how
    assert "below 1 % of the own model's log loss is too small to matter" in how
    assert "expect a little less of it on new rows" in how
    assert "expected difference between strategies" in about
    assert "not about the difference between two fitted models" in about


@pytest.mark.parametrize(
    ("low", "high", "claim"),
    [
        (0.01, 0.09, "data from lab help: "),
        (0.01, 0.04, "data from lab help a little: "),
        (-0.3, -0.1, "data from lab harm: "),
        (-0.04, 0.3, "data from lab do no harm, but may not help: "),
        (-0.04, 0.04, "data from lab do no harm and make no difference that matters: "),
        (-0.3, 0.04, "812 rows are too few to tell whether data from lab help: "),
        (-0.3, 0.3, "812 rows are too few to tell whether data from lab help: "),
    ],
)
def test_each_verdict_has_a_sentence(low, high, claim):
    """A single strategy of a primary source: the lab is trained on, not tested."""
    said = comparison(contrast(low=low, high=high)).summary()

    assert said.startswith(f"For clinic, {claim}")
    assert "other strateg" not in said
    assert "Of 100 such intervals about 95 are right." in said
    assert "the best of several" not in said.lower()


def test_a_difference_that_does_not_matter_is_told_in_three_digits():
    few = contrast(low=-0.04, high=0.04, reference_score=0.290290, score=0.290295)
    more = contrast(low=-0.04, high=0.04, reference_score=0.2904, score=0.2912)

    assert comparison(few)._findings()[0].endswith("matters: ROC AUC stays at 0.290.")
    (told,) = comparison(more)._findings()
    assert told.endswith("matters: ROC AUC rises from 0.290 to 0.291.")


@pytest.mark.parametrize(
    ("high", "needs"),
    [
        (0.04, "Any gain is below 0.05 in log loss."),
        (0.06, "About 990 rows would be needed."),
        (9.0, "More rows are needed."),
    ],
)
def test_what_it_takes_to_tell_follows_the_numbers(high, needs):
    said = comparison(contrast(low=-0.05, high=high, score_low=-0.01))

    assert said._findings()[0].endswith(f" of the change -0.010 to 0.090). {needs}")


WAVERING = {"score_gain": 0.01, "score_low": -0.03, "score_high": 0.05}
FALLING = {"score": 0.65, "score_gain": -0.05, "score_low": -0.09, "score_high": -0.01}


@pytest.mark.parametrize(
    ("ends", "metric", "words"),
    [
        ((0.1, 0.3), WAVERING, "ROC AUC alone could not tell"),
        ((0.1, 0.3), FALLING, "ROC AUC points the other way"),
        ((-0.3, -0.1), {}, "ROC AUC points the other way"),
        ((-0.3, -0.1), FALLING, None),
        ((-0.9, 0.9), {}, "ROC AUC alone says that they help"),
        ((-0.9, 0.9), FALLING, "ROC AUC alone says that they harm"),
        ((-0.9, 0.9), WAVERING, None),
    ],
)
def test_where_metric_and_verdict_disagree_a_sentence_says_so(ends, metric, words):
    (said,) = comparison(contrast(low=ends[0], high=ends[1], **metric))._findings()

    assert (words is None) == ("the verdict goes by log loss, which" not in said)
    assert words is None or f"{words}: the verdict goes by log loss, which" in said


def test_a_metric_that_is_a_loss_is_told_as_one():
    """scikit-learn's neg_log_loss rises where log loss falls."""
    loss = {"reference_score": -0.5, "score": -0.45}
    said = comparison(contrast(**loss), metric="neg_mean_absolute_error")

    assert "mean absolute error falls from 0.500 to 0.450 (99 %" in said._findings()[0]


@pytest.mark.parametrize(
    ("best", "claim"),
    [
        ((-0.04, 0.04), 'data from lab do no harm with "merged" and make no'),
        ((-0.09, -0.01), 'data from lab harm, even with "merged": '),
        (
            (-0.4, 0.04),
            'are too few to tell whether data from lab help with "merged": ',
        ),
    ],
)
def test_what_holds_for_the_best_alone_is_not_said_of_all(best, claim):
    worst = contrast(strategy="only lab", low=-3.0, high=-2.0)
    said = comparison(contrast(low=best[0], high=best[1]), worst).summary()

    assert claim in said.splitlines()[0]
    assert 'The other strategy: "only lab" (harms).' in said


def test_strategies_of_one_fate_are_named_together():
    """Names may hold commas; how many rows each would need is in the table."""
    wide = [
        contrast(strategy=f"merged, {n}", low=-n, high=n - 0.1) for n in (9, 8, 7, 6)
    ]
    said = comparison(*wide, contrast(strategy="heads", low=-3.0, high=-2.0)).summary()

    assert (
        'The other strategies: "merged, 8", "merged, 7", "merged, 6" (cannot tell '
        'yet); "heads" (harms).'
    ) in said


def test_an_identical_strategy_beside_one_that_harms():
    same = contrast(difference=Difference(0.0, 0.0, 811, 812), low=0.0, high=0.0)
    said = comparison(same, contrast(strategy="heads", low=-3.0, high=-2.0)).summary()

    assert said.startswith(
        'For clinic, data from lab do no harm with "merged" and change nothing: '
    )
    assert 'The other strategy: "heads" (harms).' in said


def test_a_metric_without_a_value_gives_way_to_the_loss():
    nothing = dict.fromkeys(("score", "score_gain", "score_low", "score_high"), np.nan)

    (said,) = comparison(contrast(**nothing))._findings()

    assert said == (
        "For clinic, data from lab help: log loss falls from 5.00 to 4.80 (99 % "
        "interval of the fall 0.10 to 0.30)."
    )


# What to do now


WAYS = {
    "own models": OwnModels(),
    "merged": Merged(balance="sources"),
    "stacked": StackedPrediction(),
    "mine": Merged(Ridge(), scaler=None),
    "picky": Merged(scaler=StandardScaler()),
}
HARM = {"low": -0.3, "high": -0.1}


@pytest.mark.parametrize(
    ("contrasts", "scaler", "lines"),
    [
        (
            [contrast(), contrast("lab", **HARM)],
            "standard",
            ["from sktandem import Tandem", "model = Tandem(estimator)"],
        ),
        (
            [contrast(), contrast("lab", **HARM)],
            None,
            ["from sktandem import Tandem", "model = Tandem(estimator, scaler=None)"],
        ),
        (
            [contrast(**HARM), contrast("lab", **HARM)],
            "standard",
            ["from sktandem.members import OwnModels", "model = OwnModels(estimator)"],
        ),
        (
            [contrast(), contrast("lab")],
            None,
            [
                "from sktandem import Merged",
                "model = Merged(estimator, scaler=None, balance='sources')",
            ],
        ),
        (
            [contrast(strategy="stacked")],
            StandardScaler(),
            [
                "from sktandem.members import StackedPrediction",
                "model = StackedPrediction(estimator, scaler=comparison.design.scaler)",
            ],
        ),
        (
            [contrast(strategy="mine")],
            "standard",
            [
                "from sklearn.base import clone",
                "model = clone(comparison.design.strategies['mine'])",
            ],
        ),
        (
            [contrast(strategy="picky")],
            None,
            [
                "from sklearn.base import clone",
                "model = clone(comparison.design.strategies['picky'])"
                ".set_params(estimator=estimator)",
            ],
        ),
    ],
)
def test_the_lines_to_paste_make_what_was_recommended(contrasts, scaler, lines):
    said = comparison(*contrasts)
    design = replace(said.design, strategies=WAYS, scaler=scaler, estimator=Ridge())
    said = StrategyComparison(said.contrasts, design)

    todo, *code = said._advice()

    assert todo.startswith("What to do now: ")
    assert code == [*lines, "model.fit(X, y, sample_source=sample_source)"]
    names = {"comparison": said, "estimator": Ridge(), "X": [[0.0], [1.0]] * 9}
    names |= {"y": [0.0, 1.0] * 9, "sample_source": ["clinic"] * 10 + ["lab"] * 8}
    exec("\n".join(code), names)
    assert hasattr(names["model"], "sources_")
    assert "\n    ".join([todo, *code]) in said.summary()


def test_a_net_that_stands_in_for_an_estimator_is_told_its_task():
    pytest.importorskip("skorch")
    from sktandem import SharedNet

    said = comparison(contrast(strategy="turns"))
    ways = {"own models": OwnModels(), "turns": SharedNet(heads="source")}
    design = replace(said.design, strategies=ways, estimator=Ridge())

    code = StrategyComparison(said.contrasts, design)._advice()

    assert "model = SharedNet(task='regression', heads='source')" in code


def test_levels_near_one_are_not_rounded_to_certainty():
    said = comparison(contrast(), contrast("lab"), level=0.00013).summary()

    assert "each by itself in 99.99 %" in said


def test_a_loss_that_rises_is_told_with_its_interval_the_other_way_round():
    said = comparison(contrast(low=-0.3, high=-0.1)).summary()

    assert "log loss rises from 5.00 to 5.20, by 0.20 [0.10, 0.30]" in said


def test_more_than_two_sources_are_the_other_sources():
    said = comparison(contrast(), contrast("lab", low=-2.0, high=-1.0), sources="abc")

    clinic, lab, *_ = said.summary().splitlines()
    assert clinic.startswith("For clinic, data from the other sources help: ")
    assert lab.startswith("For lab, data from the other sources harm: ")


def test_sources_that_are_numbers_are_called_sources():
    said = comparison(contrast(0), sources=(0, 1)).summary()

    assert said.startswith("For source 0, data from source 1 help: ")


def test_notes_groups_and_the_absolute_margin_are_told():
    said = comparison(
        contrast(), grouped=True, loss="zero-one loss", notes=("Mind the gap.",)
    ).summary()

    assert said.endswith("\nMind the gap.")
    assert "held-out groups" in said
    assert "Verdicts go by zero-one loss; a difference below 0.01 is too small" in said


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
    assert html.count("<svg") == 2  # for a broad page and a slim one
    exact = html.index("<details><summary>The exact statement</summary>")
    assert html.index("What to do now") < html.index("<svg") < exact
    assert "http" not in html
    assert named._repr_html_() == html
    assert len(html_page("Two clinics", html)) < 100_000


def test_the_table_in_letters_has_a_line_for_each_strategy():
    lines = repr(SEVERAL).splitlines()

    names = ["source", *["clinic"] * 4, *["lab"] * 4]
    assert [line.split()[0] for line in lines] == names
    assert re.split(r"\s{2,}", lines[2]) == [
        *("clinic", "merged", "812", "4.80", "0.20 [0.10, 0.30]"),
        *("helps", "0.750"),
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
from sktandem import Merged
from sktandem.members import OwnModels
from sktandem.stats._inference import Difference
from sktandem.model_selection._comparison import Contrast, Design, StrategyComparison
one = Contrast("a", "merged", 90, 90, 1.0, 0.8, Difference(0.2, 0.05, 89, 90), 0.1,
               0.3, 0.01, "helps", None, 0.7, 0.75, 0.05, 0.01, 0.09)
ways = {"own models": OwnModels(), "merged": Merged()}
design = Design("log loss", "roc_auc", "own models", ways, None, ("a", "b"), 10, 5,
                0.01, 0.05, 0.05, False)
said = StrategyComparison((one,), design)
assert "helps" in repr(said) and "helps" in said.summary()
assert "<svg" not in said.to_html() and "helps" in said.to_html()
for call in (said.to_frame, said.plot):
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
        f"to_frame needs pandas. {cure}",
        f"StrategyComparisonDisplay needs matplotlib. {cure}",
    ]
