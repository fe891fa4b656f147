"""The command line: the wines, and files of the user's own."""

import html
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktandem import table_preprocessor
from sktandem.cli import _main as command
from sktandem.cli._report import fit_command, report_page
from sktandem.datasets import load_wine_quality
from sktandem.model_selection import compare_strategies
from sktandem.shift import shift_report

pytestmark = pytest.mark.slow

QUICK = ["--folds", "2", "--repeats", "1"]


def patients(n_rows, seed):
    rng = np.random.default_rng(seed)
    age = rng.normal(60 + 3 * seed, 10, n_rows).round(1)
    smokes = rng.choice(["yes", "no"], n_rows)
    risk = (age - 60) / 6 + (smokes == "yes")
    ill = rng.random(n_rows) < 1 / (1 + np.exp(-risk))
    frame = pd.DataFrame(
        {
            "age": age,
            "smokes": smokes,
            "pulse": rng.normal(70, 9, n_rows).round(),
            "ill": np.where(ill, "yes", "no"),
            "family": np.arange(n_rows) // 2 + 1000 * seed,
        }
    )
    frame.loc[rng.random(n_rows) < 0.1, ["pulse", "smokes"]] = np.nan
    return frame


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hospitals")
    paths = [folder / "clinic.csv", folder / "lab.csv"]
    patients(120, seed=0).to_csv(paths[0], index=False)
    patients(160, seed=1).to_csv(paths[1], index=False)
    return [str(path) for path in paths]


def run(*arguments):
    assert command.main(["compare", *map(str, arguments), *QUICK]) == 0


@pytest.fixture(scope="module")
def compared(files, tmp_path_factory):
    """Return the folder and the screen of one run that serves several tests."""
    folder = tmp_path_factory.mktemp("out") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        lines = []
        patch.setattr("builtins.print", lambda *a, **k: lines.append(" ".join(a)))
        run(*files, "--target", "ill", "--ignore", "family", "--output", folder)
    return folder, "\n".join(lines)


def page_of(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_numbers_are_those_of_the_functions(files, compared):
    """Files, preprocessing within folds, comparison: the same by hand."""
    tables = [pd.read_csv(path) for path in files]
    X = pd.concat(tables, ignore_index=True)[["age", "smokes", "pulse"]]
    y = pd.concat(tables)["ill"].to_numpy(dtype=object)
    source = np.repeat(["clinic", "lab"], [len(table) for table in tables])
    model = make_pipeline(
        table_preprocessor(scaler=None, min_frequency=5),
        LogisticRegression(max_iter=1000),
    )
    by_hand = compare_strategies(
        model, X, y, sample_source=source, cv=2, n_repeats=1, random_state=0,
        progress=False,
    )  # fmt: skip

    folder, text = compared
    shown = pd.read_csv(folder / "comparison.csv")

    expected = by_hand.to_frame().astype({"n_needed": float})
    pd.testing.assert_frame_equal(shown, expected, check_dtype=False, rtol=1e-9)
    assert repr(by_hand) in text
    assert repr(shift_report(X, y, sample_source=source)) in text
    assert " ".join(by_hand.summary().split()) in " ".join(text.split())


def test_the_screen_tells_what_was_read(compared):
    folder, text = compared

    assert text.startswith(
        "clinic: 120 rows, lab: 160 rows\n"
        "To predict: 'ill', one of 2 classes (classification), from 2 columns of "
        "numbers and 1 column of categories.\n"
        "Model: logistic regression; 2 folds x 1 repeat, seed 0.\n"
    )
    assert text.endswith(
        f"Written to {folder}: summary.txt, comparison.csv, comparison.png, report.html"
    )


def test_what_is_written_is_what_was_shown(compared):
    folder, text = compared

    names = ["comparison.csv", "comparison.png", "report.html", "summary.txt"]
    assert sorted(path.name for path in folder.iterdir()) == names
    for line in (folder / "summary.txt").read_text(encoding="utf-8").splitlines():
        assert line in text
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_holds_everything_and_needs_nothing(compared):
    folder, _ = compared
    page = page_of(folder)

    assert len(page.encode()) < 300_000
    assert "<title>clinic and lab: do they help each other?</title>" in page
    for part in ("Does the other dataset help?", "How different are the datasets?"):
        assert part in page
    assert page.count('src="data:image/png;base64,') == 3
    assert page.index('class="short"') < page.index("What was compared")
    assert "@media print" in page
    without_pictures = re.sub(r'"data:[^"]*"', "", page)
    for outside in ("http:", "https:", "<script", "<link", "src=/", "@import", "url("):
        assert outside not in without_pictures


def test_the_report_keeps_folders_to_itself(files, compared):
    folder, _ = compared
    page = page_of(folder)

    typed = shlex.join(
        ["compare", "clinic.csv", "lab.csv", "--target", "ill", "--ignore", "family"]
    )
    assert f"python -m sktandem {typed} --output folder" in page
    assert "scikit-learn" in page
    assert os.path.dirname(files[0]) not in page
    assert command._as_typed(["--report=/home/me/x.html"]).endswith("--report=x.html")


def test_the_report_gives_the_verdicts_and_the_command_that_fits_first(compared):
    folder, text = compared
    page = page_of(folder)

    first = page[page.index('class="short"') : page.index("What was compared")]
    verdict = next(line for line in text.splitlines() if line.startswith("For clinic,"))
    assert verdict in html.unescape(first)
    fit = "fit clinic.csv lab.csv --target ill --ignore family --output model.skops"
    assert f"<code>python -m sktandem {fit}</code>" in first
    assert "What to do now: keep a model of its own for each dataset." in first


@pytest.mark.parametrize(
    ("typed", "fit"),
    [
        ("A.csv B.csv --target ill", "A.csv B.csv --target ill"),
        ("A.csv B.csv --target=ill --report=r.html", "A.csv B.csv --target=ill"),
        (
            "--primary A --net --folds 3 'a b.csv' B.csv --quiet --target ill --seed 2",
            "'a b.csv' B.csv --target ill --seed 2",
        ),
    ],
)
def test_the_command_that_fits_reads_the_files_in_the_same_way(typed, fit):
    told = fit_command(f"python -m sktandem compare {typed}")

    assert told == f"python -m sktandem fit {fit} --output model.skops"


def test_of_the_bundled_wines_no_command_fits():
    assert fit_command("python -m sktandem compare --output folder") == ""


def test_names_are_escaped_and_warnings_become_notes(files, tmp_path, capsys):
    frame = pd.read_csv(files[0]).rename(columns={"age": "<b>age</b>"}).head(30)
    paths = [tmp_path / "<i>A.csv", tmp_path / "B&B.csv"]
    for path in paths:
        frame[["<b>age</b>", "ill"]].to_csv(path, index=False)

    run(*paths, "--target", "ill", "--report", tmp_path / "r.html")

    told = " ".join(capsys.readouterr().out.split())
    assert "Note: There are only 30 rows of '<i>A', 30 rows of 'B&B': an in" in told
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "&lt;i&gt;A" in page
    assert "B&amp;B" in page
    assert "<b>age" not in page
    assert "<i>A" not in page


def test_one_source_persons_and_a_metric(files, capsys, tmp_path):
    page = tmp_path / "r.html"
    run(
        *files, "--target", "ill", "--groups", "family", "--primary", "lab",
        "--metric", "roc_auc", "--quiet", "--report", page,
    )  # fmt: skip

    text = capsys.readouterr().out
    assert text.startswith("For lab, ")
    assert "ROC AUC" in text
    assert "Measured on held-out groups, 2 folds x 1 repeat" in " ".join(text.split())
    assert "roc_auc" in text
    assert "clinic  own models" not in text
    assert "clinic: does it help with lab?</h1>" in page.read_text(encoding="utf-8")


def test_a_net_learns_mixed_columns(files, capsys, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(command, "MAX_EPOCHS", 2)

    run(*files, "--target", "ill", "--ignore", "family", "--net", "--primary", "lab")

    text = capsys.readouterr().out
    assert "Model: neural net" in text
    assert "a head for each" in text


def test_trees_are_another_model(files, capsys):
    run(*files, "--target", "age", "--ignore", "family", "smokes",
        "--model", "trees", "--primary", "clinic")  # fmt: skip

    assert "Model: boosted trees; 2 folds x 1 repeat" in capsys.readouterr().out


# The wines


def test_without_files_it_is_about_the_wines(capsys, tmp_path):
    command.main([*QUICK, "--output", str(tmp_path)])

    text = capsys.readouterr().out
    assert text.startswith("red: 1,359 rows, white: 3,961 rows\n")
    assert "Note: 1,177 duplicates are left out." in text
    assert "volatile acidity" in page_of(tmp_path)
    assert len(page_of(tmp_path).encode()) < 300_000


def test_numbers_go_straight_to_the_model(capsys):
    wine = load_wine_quality()
    by_hand = compare_strategies(
        None, wine.data, wine.target, sample_source=wine.sample_source, cv=2,
        n_repeats=1, random_state=3, progress=False, primary_source="red",
    )  # fmt: skip

    command.main(["--primary", "red", "--seed", "3", "--quiet", *QUICK])

    assert repr(by_hand) in capsys.readouterr().out


def test_wines_have_classes_as_well():
    wines = command._wines("classification")

    assert set(wines.y) == {"low", "medium", "high"}


# What is missing, and what is wrong


REFUSING = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in {refused}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
from sktandem.cli._main import main
main({arguments})
"""


def main_without(refused, *arguments):
    program = REFUSING.format(refused=refused, arguments=[*arguments, *QUICK])
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


def test_the_wines_need_neither_pandas_nor_matplotlib_nor_torch(tmp_path):
    refused = ["pandas", "matplotlib", "torch", "skorch"]
    done = main_without(refused, "--output", str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(
        f"Written to {tmp_path}: summary.txt, report.html\n"
        'For the pictures: pip install "sktandem[notebook]"\n'
    )
    assert done.stderr == ""
    assert "For the pictures: pip install" in page_of(tmp_path)


def test_a_net_needs_torch_and_skorch():
    done = main_without(["torch", "skorch"], "--net")

    assert done.returncode == 2
    assert done.stderr.endswith(
        "error: --net needs torch and skorch. Install them with: "
        'pip install "sktandem[nets]"\n'
    )


def test_files_need_pandas(files):
    done = main_without(["pandas"], *files, "--target", "ill")

    assert done.returncode == 2
    assert 'clinic.csv needs pandas. Install it with: pip install "skt' in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folds", "1"], "--folds must be at least 2, got 1."),
        (["--repeats", "0"], "--repeats must be at least 1, got 0."),
        (["--jobs", "0"], "--jobs must be at least 1, got 0."),
        (["--margin", "0"], "--margin must be above 0, got 0."),
        (["--task", "clustering"], "invalid choice: 'clustering'"),
        (["--output", "/dev/null/x"], "/dev/null/x: Not a directory"),
        (["--report", "/nowhere/x.html"], "--report: there is no folder /nowhere."),
        (["--report", "/dev"], "--report /dev is a folder. Name a file in it."),
        (["--primary", "rot"], "--primary rot is not a source. The sources are"),
        (["--primary", "whit"], "['red', 'white']. Did you mean 'white'?"),
        (["--metric", "accurac"], "--metric accurac is not known to scikit-learn. Did"),
        (["--metric", "roc_auc"], "--metric roc_auc does not suit regression: "),
        (["--target", "quality"], "--target, --groups and --ignore are for files"),
        (["--separator", "::"], "--separator must be one sign or tab, got '::'."),
        (["A.csv", "B.csv"], "--target is needed: the name of the column to predict."),
        (["A.csv", "B.csv", "--target", "y"], "There is no file A.csv."),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(arguments)

    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told
    assert told.count("\n") <= 3


def test_more_folds_than_persons_are_refused(files, capsys):
    for more, message in (
        (["--folds", "121"], "121 folds need as many rows, and clinic has 120 rows"),
        (
            ["--folds", "70", "--groups", "family"],
            "70 folds need as many groups, and clinic has 60 groups: --folds 5",
        ),
    ):
        with pytest.raises(SystemExit):
            command.main(["compare", *files, "--target", "ill", *more])
        assert message in capsys.readouterr().err


def test_help_shows_examples(capsys):
    for arguments in (["--help"], ["compare", "--help"]):
        with pytest.raises(SystemExit) as stopped:
            command.main(arguments)
        assert stopped.value.code == 0
        assert "compare clinic.csv lab.csv --target ill" in capsys.readouterr().out


def test_many_columns_and_sources_still_make_a_light_report():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(400, 30)).round(2)).add_prefix("measurement ")
    source = np.repeat(["one", "two", "three", "four"], 100)
    y = X["measurement 0"].to_numpy() + rng.normal(size=400)
    comparison = compare_strategies(
        None, X.to_numpy(), y, sample_source=source, cv=2, n_repeats=1, progress=False
    )
    shift = shift_report(X, y, sample_source=source)

    page = report_page(
        "Four", comparison, shift, sources=[], task=[], notes=[], settings={}
    )

    assert len(page.encode()) < 300_000
    assert all(name in page for name in ("one", "two", "three", "four"))
