"""The command line: the bundled cases, and files of the user's own."""

import html
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from inspect import signature
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import sktandem
from sktandem import SourceError, table_preprocessor
from sktandem.cli import _main as command
from sktandem.cli import _options as options
from sktandem.cli._report import fit_command, report_page
from sktandem.cli._writing import inert_cells, write_all
from sktandem.datasets import load_wine_quality
from sktandem.files._gather import read_tables
from sktandem.model_selection import compare_strategies
from sktandem.shift import shift_report

pytestmark = pytest.mark.slow

QUICK = ["--folds", "2", "--repeats", "1"]
FIT = ["fit", "A.csv", "B.csv", "--target", "y", "--output"]


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
        "numbers and 1 of categories.\n"
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
    assert page.count("<svg role=") == 4  # the forest is there twice, one to show
    assert page.index('class="short"') < page.index("What was compared")
    assert "@media print" in page
    for outside in ("http:", "https:", "<script", "<link", "src=/", "@import"):
        assert outside not in page
    assert page.count("url(") == page.count("url(#")


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
    for name in ("clinic", "lab"):
        assert f"<p><b>? {name}: cannot tell yet.</b> For {name}, " in first
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
    asked = options.parsers()[0].parse_args(shlex.split(told)[3:])
    assert (asked.command, len(asked.files), asked.target) == ("fit", 2, "ill")


def test_of_the_bundled_cases_no_command_fits():
    assert fit_command("python -m sktandem compare --output folder") == ""


def test_names_are_escaped_and_warnings_become_notes(files, tmp_path, capsys):
    frame = pd.read_csv(files[0]).rename(columns={"age": "<b>age</b>"}).head(30)
    paths = [tmp_path / "<i>A.csv", tmp_path / "B&B<script>alert('1').csv"]
    for path in paths:
        frame[["<b>age</b>", "ill"]].to_csv(path, index=False)

    run(*paths, "--target", "ill", "--report", tmp_path / "r.html")

    told = " ".join(capsys.readouterr().out.split())
    assert "Note: There are only 30 rows of '<i>A', 30 rows of " in told
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "&lt;i&gt;A" in page
    assert "B&amp;B&lt;script&gt;alert(" in page
    assert "<script" not in page
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


def test_thorough_deals_the_rows_out_five_times(files, capsys):
    assert command.main([*files, "--target", "ill", "--ignore", "family"]) == 0
    quick = capsys.readouterr().out
    assert "logistic regression; 10 folds x 1 repeat" in quick
    assert "For surer verdicts, in five times the time: --thorough" in quick

    parser, _ = options.parsers()
    in_python = signature(compare_strategies).parameters
    effort = in_python["cv"].default, in_python["n_repeats"].default
    assert command._effort(parser.parse_args(["compare"])) == effort == (10, 1)
    for given, effort in (([], (10, 5)), (QUICK, (2, 1)), (["--net"], (10, 5))):
        asked = parser.parse_args(["compare", "--thorough", *given])
        assert command._effort(asked) == effort


def test_options_that_are_pasted_behind_others_of_their_kind_add_to_them():
    parser, _ = options.parsers()
    typed = "fit A B --ignore a --map x=1 --clean safe --groups g"

    given = parser.parse_args(f"{typed} --ignore b --map y=0 --clean zeros".split())

    assert (given.ignore, given.map) == (["a", "b"], ["x=1", "y=0"])
    assert (given.clean, given.groups) == (["safe", "zeros"], ["g"])
    assert parser.parse_args(["fit", "A", "B"]).ignore == []


def test_trees_are_another_model(files, capsys):
    run(*files, "--target", "age", "--ignore", "family", "smokes",
        "--model", "trees", "--primary", "clinic")  # fmt: skip

    assert "Model: boosted trees; 2 folds x 1 repeat" in capsys.readouterr().out


# The bundled cases


def test_without_files_the_hospitals_come_first_and_then_the_wines(capsys, tmp_path):
    """The first page is a clear yes, the second an honest no."""
    page = tmp_path / "page.html"
    command.main(["--repeats", "1", "--output", str(tmp_path), "--report", str(page)])

    text = capsys.readouterr().out
    assert text.startswith("cleveland: 303 rows, hungarian: 293 rows,")
    hospitals, wines = text.split("red: 1,359 rows, white: 3,961 rows\n")
    assert "For va, data from the other sources help: log loss falls" in hospitals
    assert "could not tell" not in hospitals
    todo = 'What to do now: fit "merged, with indicator" on the rows of all'
    assert todo in hospitals
    assert todo in html.unescape(page_of(tmp_path))
    assert "Note: 1,177 duplicates are left out." in wines
    assert "do no harm" in wines
    assert "do they help with va?" in page_of(tmp_path)
    assert "volatile acidity" in page_of(tmp_path / "wines")
    assert "help with va?" in page.read_text(encoding="utf-8")
    assert "volatile acidity" in page.with_stem("page-wines").read_text("utf-8")
    assert len(page_of(tmp_path).encode()) < 300_000


def test_a_task_or_a_name_chooses_the_case(capsys, tmp_path):
    page = tmp_path / "page.html"
    command.main(["--task", "regression", "--report", str(page), *QUICK])

    assert capsys.readouterr().out.startswith("red: 1,359 rows")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]

    command.main(["--primary", "hungarian", *QUICK])

    text = capsys.readouterr().out
    assert "For hungarian, " in text
    assert "red: " not in text


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


def test_the_bundled_cases_need_neither_pandas_nor_matplotlib_nor_torch(tmp_path):
    refused = ["pandas", "matplotlib", "torch", "skorch"]
    done = main_without(refused, "--output", str(tmp_path))

    assert done.returncode == 0, done.stderr
    pictures = 'For the pictures: pip install "sktandem[notebook]"\n'
    for folder in (tmp_path, tmp_path / "wines"):
        told = f"Written to {folder}: summary.txt, report.html\n{pictures}"
        assert told in done.stdout
    assert done.stdout.startswith("cleveland: 303 rows")
    # No signs that move a cursor: the stream is not a screen.
    assert re.fullmatch(r"(comparing: \d+ of \d+ fits, \d+ s\n)+", done.stderr)
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
        (["--seed", "-1"], "--seed must be at least 0, got -1."),
        (["--seed", "4294967296"], "--seed must be at most 4294967295, got 42949672"),
        (["--margin", "0"], "--margin must be above 0, got 0."),
        (["--task", "clustering"], "invalid choice: 'clustering'"),
        (["--output", "/dev/null/x"], "/dev/null/x: Not a directory"),
        (["--report", "/nowhere/x.html"], "--report: there is no folder /nowhere."),
        (["--report", "/dev"], "--report /dev is a folder. Name a file in it."),
        (["--primary", "rot"], "--primary rot is not a source. The sources are"),
        (["--primary", "whit"], "['red', 'white']. Did you mean 'white'?"),
        (["--metric", "accurac"], "--metric accurac is not known to scikit-learn. Did"),
        (
            ["--task", "regression", "--metric", "roc_auc"],
            "--metric roc_auc does not suit regression: ",
        ),
        (["--target", "quality"], "--target, --groups and --ignore need files of"),
        (["comapre", "A.csv"], "neither a command nor a file. Did you mean 'compare'?"),
        (["clean"], "clean needs the files to look at."),
        (["fit"], "fit needs files to fit on."),
        (["fit", "A.csv", "B.csv", "--target", "y"], "--output is needed: a file such"),
        ([*FIT, "m.joblib", "--jobs", "0"], "--jobs must be at least 1, got 0."),
        ([*FIT, "m.joblib", "--seed", "-1"], "--seed must be at least 0, got -1."),
        ([*FIT, "/nowhere/m.joblib"], "--output: there is no folder /nowhere."),
        (
            ["predict", "m.joblib", "A.csv", "--output", "/nowhere/p.csv"],
            "--output: there is no folder /nowhere.",
        ),
        (
            ["fit", "A.csv", "B.csv", "--target", "y", "--output", "model.pkl"],
            "A model is a file of .skops or .joblib, got model.pkl.",
        ),
        (["predict", "model.txt", "A.csv"], "A model is a file of .skops or .joblib"),
        (["predict", "nowhere.joblib", "A.csv"], "nowhere.joblib: No such file"),
        (["A", "B", "--target", "y", "--map", "yes"], "--map takes OLD=NEW, got 'yes'"),
        (["A", "B", "--target", "y", "--clean", "all"], "--clean must be one of"),
        (["A", "B", "--target", "y", "--convert", "x"], "--convert must be SOURCE:COL"),
        (["A", "B", "--target", "y", "--date-order", "x"], "--date-order must be one"),
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
    assert told.count("\n") <= 4


# Nothing of the user's is lost


def refused_and_kept(files, *arguments, message, capsys):
    before = [Path(path).read_bytes() for path in files]
    with pytest.raises(SystemExit) as stopped:
        command.main(["compare", *files, "--target", "ill", *map(str, arguments)])

    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert [Path(path).read_bytes() for path in files] == before


def test_no_output_is_written_over_an_input(files, tmp_path, capsys):
    copies = [str(tmp_path / name) for name in ("comparison.csv", "lab.csv")]
    for path, copy in zip(files, copies):
        shutil.copy(path, copy)
    (tmp_path / "link.html").symlink_to(copies[1])
    (tmp_path / "out").mkdir()
    os.link(copies[1], tmp_path / "out" / "summary.txt")

    over = "would write {} over {}, which is read. Name another {}."
    for arguments, told in (
        (["--report", copies[1]], over.format("lab.csv", copies[1], "file")),
        (
            ["--report", tmp_path / "link.html"],
            over.format("link.html", copies[1], "file"),
        ),
        (["--output", tmp_path], over.format("comparison.csv", copies[0], "folder")),
        (
            ["--output", tmp_path / "out"],
            over.format("summary.txt", copies[1], "folder"),
        ),
    ):
        refused_and_kept(copies, *arguments, message=told, capsys=capsys)
    both = ["--output", tmp_path / "new", "--report", tmp_path / "new/comparison.csv"]
    told = "--report and --output would both write"
    refused_and_kept(copies, *both, message=told, capsys=capsys)


def test_predictions_are_not_written_over_what_they_are_made_from(tmp_path, capsys):
    for name in ("model.joblib", "new.csv"):
        (tmp_path / name).write_text("before")
        model, new, output = (
            str(tmp_path / file) for file in ("model.joblib", "new.csv", name)
        )
        with pytest.raises(SystemExit):
            command.main(["predict", model, f"clinic={new}", "--output", output])
        assert f"would write {name} over" in capsys.readouterr().err
        assert (tmp_path / name).read_text() == "before"


def test_a_full_disk_leaves_the_files_of_before(tmp_path):
    for name in ("summary.txt", "report.html"):
        (tmp_path / name).write_text("before")

    def half(path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    files = {tmp_path / "summary.txt": Path.touch, tmp_path / "report.html": half}
    told = r"report\.html cannot be written: No space left on device\. Free some space"
    with pytest.raises(SourceError, match=told):
        write_all(files)

    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {
        "summary.txt": "before",
        "report.html": "before",
    }


def test_a_link_stays_a_link_and_a_device_is_written_to(tmp_path):
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")

    write_all({tmp_path / "link.txt": lambda path: path.write_text("new")})
    with pytest.raises(SourceError, match="/dev/full cannot be written: No space left"):
        write_all({Path("/dev/full"): lambda path: path.write_text("new")})

    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_a_screen_that_is_full_is_told_without_a_traceback(files):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sktandem", *files, "--target", "ill", *QUICK],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip

    assert done.returncode == 2
    assert done.stderr.endswith(
        "error: What was found cannot be printed: No space left on device\n"
    )


def test_ctrl_c_ends_with_one_line(files, monkeypatch, capsys):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "compare_strategies", interrupt)

    assert command.main(["compare", *files, "--target", "ill", *QUICK]) == 130
    told = capsys.readouterr().err
    assert told == "Interrupted: nothing was finished.\n"


def test_no_cell_is_a_formula_to_a_spreadsheet():
    names = ["=HYPERLINK(1)", "+1", "-1", "@a", "\tb", "plain", "a=b"]
    frame = pd.DataFrame({"strategy": names, "gain": np.linspace(-1, 1, 7)})

    inert = inert_cells(frame)

    assert inert["strategy"].tolist() == [f"'{n}" for n in names[:5]] + names[5:]
    pd.testing.assert_series_equal(inert["gain"], frame["gain"])


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


def test_settings_of_each_file_and_of_all(tmp_path):
    """Files by name, one encoding and two separators, cases folded, yes mapped to 1."""
    (tmp_path / "a.csv").write_text("x|y|w\n" + "1|Yes|u\n2|no|U \n" * 15)
    (tmp_path / "b.csv").write_text("w;x;y\n" + "ü;1;1\nu;2;0\n" * 15, "latin-1")
    _, commands = options.parsers()

    given = commands["clean"].parse_args(
        [f"A={tmp_path}/a.csv", f"B={tmp_path}/b.csv", "--target", "y",
         "--encoding", "latin-1", "--separator", "A=|", "--separator", "B=;",
         "--map", "yes=1", "no=0", "--fold-case"]
    )  # fmt: skip
    reading = options.reading_from(given)
    tables = read_tables(options.files_of(given, reading), reading)

    assert tables.files == {"A": "a.csv", "B": "b.csv"}
    assert list(tables.y) == [1, 0] * 30
    assert list(tables.X["w"]) == ["u", "u"] * 15 + ["ü", "u"] * 15


def test_a_model_of_one_file_is_asked_by_the_names_of_its_sources(tmp_path, capsys):
    frame = pd.concat([patients(60, 0), patients(60, 1)]).assign(site=["n", "s"] * 60)
    frame.to_csv(tmp_path / "all.csv", index=False)
    files, model = [str(tmp_path / "all.csv")], str(tmp_path / "m.joblib")

    command.main(["fit", *files, "--target", "ill", "--source", "site", "--ignore",
                  "family", "--output", model])  # fmt: skip
    capsys.readouterr()
    command.main(["predict", model, *files])
    by_column = pd.read_csv(io.StringIO(capsys.readouterr().out))
    command.main(["predict", model, *files, "--source", "n"])
    by_name = pd.read_csv(io.StringIO(capsys.readouterr().out))

    assert list(by_column["source"]) == list(frame["site"])
    assert list(by_column["family"]) == list(frame["family"])
    assert set(by_column["ill"]) == {"yes", "no"}
    own = (frame["site"] == "n").to_numpy()
    np.testing.assert_array_equal(by_name["ill=yes"][own], by_column["ill=yes"][own])
    assert set(by_name["source"]) == {"n"}

    frame.drop(columns="site").to_csv(tmp_path / "new.csv", index=False)
    frame.assign(site="w", age="?").to_csv(tmp_path / "odd.csv", index=False)
    frame.assign(site="w").to_csv(tmp_path / "west.csv", index=False)
    for given, message in (
        (
            ["all.csv", "--source", "north"],
            "'north' is not a source of the model. Its sources are ['n', 's']",
        ),
        (
            ["new.csv"],
            "source is needed: give it by --source NAME, or as NAME=FILE. The sources "
            "are ['n', 's'].\n",
        ),
        (
            ["west.csv"],
            "first 'w' at row 0. The sources are ['n', 's']. --source NAME takes all "
            "rows of a file for those of NAME.\n",
        ),
        (["odd.csv"], "leave it empty, or use --missing '?' in fit."),
    ):
        with pytest.raises(SystemExit):
            command.main(["predict", model, *_within(tmp_path, given)])
        assert message in capsys.readouterr().err


def _within(folder, given):
    return [str(folder / word) if ".csv" in word else word for word in given]


def test_a_message_names_the_options_that_the_command_has(tmp_path, capsys):
    frame = pd.concat([patients(60, 0), patients(60, 1)]).assign(site=["n", "s"] * 60)
    frame.to_csv(tmp_path / "all.csv", index=False)
    frame.assign(site="n").to_csv(tmp_path / "one.csv", index=False)
    for given, message in (
        (["fit", "all.csv", "--primary", "w"], "error: --primary w is not a source."),
        (["fit", "one.csv"], "one.csv are of one source, 'n'. Two or more are needed."),
        (["compare", "one.csv"], "--source site: all rows of "),
    ):
        output = tmp_path / ("m.joblib" if given[0] == "fit" else "folder")
        with pytest.raises(SystemExit):
            command.main([*_within(tmp_path, given), "--target", "ill", "--source",
                          "site", "--output", str(output)])  # fmt: skip
        assert message in capsys.readouterr().err
    jobs = options.parsers()[0].parse_args([*FIT, "m.joblib"])
    told = "A process of n_jobs=2 died. Lower n_jobs. n_splits=9 is more."
    expected = "A process of --jobs 2 died. Lower --jobs. n_splits=9 is more."
    assert options.with_options(told, jobs) == expected


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--version"])

    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"sktandem {sktandem.__version__}\n"


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
