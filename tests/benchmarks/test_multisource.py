"""The benchmark of many problems: its splits, its cache and its numbers."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pytest.importorskip("pandas")

from benchmarks.multisource.cells import Cache
from benchmarks.multisource.figures import FLOOR, Results, holm
from benchmarks.multisource.peers import PEERS, run_peers
from benchmarks.multisource.run import PROBLEMS, main

WINE = "wine, 50 red"


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Return the folder, the rows and the page of a quick run."""
    out = tmp_path_factory.mktemp("multisource")
    return out, *main(["--quick", "--out", str(out)])


def mean_square(model, rows, name):
    mine = rows.source == name
    return np.mean((rows.y[mine] - model.predict(rows.X[mine])) ** 2)


@pytest.mark.slow
def test_a_cell_is_what_a_loop_by_hand_gives(quick):
    _, cache, _ = quick
    train, test = PROBLEMS[WINE].draw(0)
    merged = make_pipeline(StandardScaler(), Ridge()).fit(train.X, train.y)
    lost, ours = {}, {}
    for name in ("red", "white"):
        mine = train.source == name
        own = make_pipeline(StandardScaler(), Ridge())
        own.fit(train.X[mine], train.y[mine])
        lost[name] = mean_square(merged, test, name)
        ours[name] = mean_square(own, test, name)
    ratios = [lost[name] / ours[name] for name in ours]
    cell = Results(cache, PROBLEMS, "linear").cell(WINE, "merged")

    assert min(ours.values()) > FLOOR * np.mean([*ours.values()])
    assert cell.ratio == pytest.approx(np.mean(ratios), rel=1e-5)


@pytest.mark.slow
def test_what_was_run_is_not_run_again(quick):
    out, _, _ = quick
    before = (out / "rows.jsonl").read_text()

    main(["--quick", "--out", str(out)])

    assert (out / "rows.jsonl").read_text() == before


@pytest.mark.slow
def test_a_line_that_was_cut_off_is_run_again(quick, tmp_path):
    out, cache, _ = quick
    text = (out / "rows.jsonl").read_text()
    (tmp_path / "rows.jsonl").write_text(text[: text.rindex('"losses"')])

    again, _ = main(["--quick", "--out", str(tmp_path)])

    assert again.rows.keys() == cache.rows.keys()


@pytest.mark.slow
def test_the_page_has_every_problem_and_way_that_was_run(quick):
    out, cache, blocks = quick
    matrix = next(what for kind, what in blocks if kind == "table")
    page = (out / "page.md").read_text(encoding="utf-8")

    assert [row[0] for row in matrix[1:]] == [WINE, "hospitals"]
    for row in cache.rows.values():
        assert row["way"] in page
    assert (out / "page.html").read_text(encoding="utf-8").count("<table>") == 3


def test_a_package_that_is_not_installed_is_a_row_that_says_so(tmp_path):
    cells, cache = [(PROBLEMS[WINE], "linear", 0)], Cache(tmp_path / "rows.jsonl")

    run_peers(PEERS[0], cells, tmp_path, cache, print)

    told = {row["way"]: row["error"] for row in cache.rows.values()}
    assert told == dict.fromkeys(PEERS[0].ways, "scikit-lego is not installed")


def test_rows_train_or_test_and_the_seed_decides():
    problem = PROBLEMS[WINE]
    train, test = problem.draw(3)
    again, _ = problem.draw(3)
    other, _ = problem.draw(4)

    np.testing.assert_array_equal(train.X, again.X)
    assert not np.array_equal(train.X, other.X)
    assert (train.source == "red").sum() == 50
    seen = {*map(tuple, np.column_stack([train.X, train.y]))}
    assert seen.isdisjoint(map(tuple, np.column_stack([test.X, test.y])))


def test_all_sizes_of_a_table_are_on_one_side():
    sides = {}
    for problem in PROBLEMS.values():
        sides.setdefault(problem.table, set()).add(problem.side)

    assert len(PROBLEMS) >= 20
    assert all(len(found) == 1 for found in sides.values())
    last = sum(found == {"last"} for found in sides.values())
    assert last / len(sides) == pytest.approx(1 / 3, abs=0.05)


def test_holm_stops_at_the_first_that_is_not_rejected():
    # 0.01 < 0.05 / 4 and 0.02 > 0.05 / 3, so that 0.021 < 0.05 / 2 does not count.
    np.testing.assert_array_equal(
        holm([0.02, 0.01, 0.021, 0.9]), [False, True, False, False]
    )
