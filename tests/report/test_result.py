"""Every result answers to the same five."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from sktandem import Merged
from sktandem.members import OwnModels
from sktandem.model_selection import (
    Contrast,
    Design,
    SourceLearningCurve,
    SourceScores,
    SourceScoreTable,
    StrategyComparison,
)
from sktandem.report._result import Result
from sktandem.stats._inference import Difference

ROWS = {"clinic": 50, "lab": 1200}
ACCURACY = SourceScores("accuracy", 0.75, {"clinic": 0.9, "lab": 0.7}, ROWS)
F1 = SourceScores("f1_macro", 0.65, {"clinic": 0.8, "lab": 0.6}, ROWS)
TABLE = SourceScoreTable({"accuracy": ACCURACY, "f1_macro": F1})
WAYS = {"own models": OwnModels(), "merged": Merged()}
COMPARISON = StrategyComparison(
    (
        Contrast(
            *("clinic", "merged", 812, 812, 0.412, 0.393),
            Difference(0.019, 0.0061, 811, 812),
            *(0.007, 0.031, 0.00824, "helps", None, 0.8, 0.83, 0.03, 0.01, 0.05),
        ),
    ),
    Design(
        *("log loss", "accuracy", "own models", WAYS, None),
        *(("clinic", "lab"), 10, 5, 0.01, 0.05, 0.05, False),
    ),
)
OWN, MERGED = np.array([0.6, 0.5, 0.4]), np.array([0.5, 0.45, 0.4])
CURVE = SourceLearningCurve(
    source="clinic",
    strategies=("merged",),
    sizes=(50, 100, 200),
    gains={"merged": OWN - MERGED},
    lows={"merged": OWN - MERGED - 0.02},
    highs={"merged": OWN - MERGED + 0.02},
    reference_losses=OWN,
    losses={"merged": MERGED},
    loss="log loss",
    metric="accuracy",
    scores={"own": 1 - OWN, "merged": 1 - MERGED},
    margin=0.01,
    level=0.05,
    reference="own",
    n_other=900,
    n_repeats=5,
    sources=("clinic", "lab"),
)
RESULTS = [ACCURACY, TABLE, COMPARISON, CURVE]
each = pytest.mark.parametrize("result", RESULTS, ids=lambda r: type(r).__name__)


@each
def test_a_result_answers_to_the_five(result):
    html, markdown = result.to_html(), result.to_markdown()

    assert isinstance(result, Result)
    assert len(result.to_frame()) > 0
    assert "clinic" in result.summary()
    for line in result._findings():
        assert line.split(" (")[0].replace('"', "&quot;") in html
    assert html.startswith('<div class="sktandem">')
    assert html == result._repr_html_()
    # The forest is there twice, for a broad page and a slim one.
    assert html.count("<svg") == (2 if result is COMPARISON else 1)
    assert "| ---: |" in markdown
    axes = Figure().subplots(1, 2) if result is TABLE else Figure().subplots()
    assert result.plot(axes).figure_.axes


@each
def test_a_result_prints_as_its_table(result):
    lines = repr(result).splitlines()

    assert lines[0].split()[0] == "source"
    assert len(lines) == 1 + len(result._table().rows)
    assert not hasattr(result, "frame")


def test_scores_are_said_in_a_sentence():
    one = SourceScores("r2", 0.5, {"lab": 0.5}, {"lab": 70})
    none = SourceScores("roc_auc", np.nan, {"a": np.nan, "b": np.nan}, {"a": 1, "b": 1})

    assert ACCURACY.summary() == (
        "accuracy is 0.750 over all 1,250 rows: highest on clinic (0.900, 50 rows) and "
        "lowest on lab (0.700, 1,200 rows). The mean of the sources is 0.800."
    )
    assert one.summary() == "r2 is 0.500 over all 70 rows, which are all of lab."
    assert none.summary() == "roc_auc has no value on any source."
    assert TABLE.summary().splitlines()[1].startswith("f1_macro is 0.650")


def test_a_wide_table_is_cards_on_a_phone():
    from sktandem.report._page import html_table

    wide = html_table(list("abcde"), [["1", "", "<i>", "4", "5"]], numbers=[0])
    assert wide.startswith('<div class="cards"><table>')
    assert '<td class="number" data-label="a">1</td>' in wide
    assert '<td data-label="c">&lt;i&gt;</td>' in wide
    assert "data-label" not in html_table(["a", "b"], [["1", "2"]])
