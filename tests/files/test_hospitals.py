"""Two messy files, from nothing to a saved model and predictions for new files."""

import io
import shlex
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from sktandem import (
    Merged,
    SourceError,
    SourceWarning,
    read_sources,
    table_preprocessor,
)
from sktandem.cli import main
from sktandem.files import cleaning_report, load_model

MODEL = "model.skops" if find_spec("skops") else "model.joblib"
TYPED = [
    *("--clean", "safe", "--missing", "k.A.", "--map", "readmitted:yes=1"),
    *("readmitted:no=0", "--encoding", "latin-1", "--ignore", "patient_id"),
    *("--join", "outer"),
]
SETTINGS = {
    "target": "readmitted",
    "clean": "safe",
    "missing": ["k.A."],
    "map": {"yes": 1, "no": 0},
    "encoding": {"B": "latin-1"},
    "ignore": ["patient_id"],
    "join": "outer",
}


# The files


def patients(n_rows, seed):
    """Return a clean table; who is old and has a high CRP comes back."""
    rng = np.random.default_rng(seed)
    age = rng.integers(30, 90, n_rows)
    crp = rng.gamma(2, 5, n_rows).round(1)
    risk = (age - 60) / 12 + (crp - 10) / 5
    return pd.DataFrame(
        {
            "patient_id": rng.permutation(n_rows) + 1000,
            "admitted": pd.Timestamp("2023-01-01")
            + pd.to_timedelta(rng.integers(0, 365, n_rows), unit="D"),
            "age": age,
            "sex": rng.choice(["m", "f"], n_rows),
            "ward": rng.choice(["ICU", "Surgery", "Cardiology"], n_rows),
            "crp": crp,
            "readmitted": (rng.random(n_rows) < 1 / (1 + np.exp(-risk))).astype(int),
        }
    )


def as_a(table):
    """As hospital A writes it: yes and no, another case, a column more."""
    rng = np.random.default_rng(len(table))
    spelt = rng.choice(["", " "], len(table))
    return table.assign(
        patient_id="A" + table["patient_id"].astype(str),
        ward=np.where(spelt == " ", table["ward"].str.lower(), table["ward"]) + spelt,
        insurance=rng.choice(["public", "private"], len(table)),
        readmitted=table["readmitted"].map({1: "yes", 0: "no"}),
    )


def write_a(table, path):
    as_a(table).to_csv(path, index=False)


def write_b(table, path):
    """As hospital B: semicolons, commas, latin-1, dates with dots, 'k.A.'."""
    rng = np.random.default_rng(len(table))
    crp = table["crp"].astype(str).str.replace(".", ",", regex=False)
    crp[rng.random(len(table)) < 0.1] = "k.A."
    table.assign(
        admitted=table["admitted"].dt.strftime("%d.%m.%Y"),
        sex=table["sex"].str.upper(),
        crp=crp,
        district=rng.choice(["Süd", "Östlich"], len(table)),
    )[
        [
            "readmitted",
            "crp",
            "ward",
            "sex",
            "age",
            "admitted",
            "district",
            "patient_id",
        ]
    ].to_csv(path, index=False, sep=";", encoding="latin-1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hospitals")
    write_a(patients(240, seed=0), folder / "A.csv")
    write_b(patients(120, seed=1), folder / "B.csv")
    # Tomorrow's files have no target yet.
    write_a(patients(80, seed=2), folder / "new_A.csv")
    write_b(patients(60, seed=3), folder / "new_B.csv")
    for name, sign in (("new_A.csv", ","), ("new_B.csv", ";")):
        new = pd.read_csv(folder / name, sep=sign, encoding="latin-1", dtype=str)
        new = new.drop(columns="readmitted")
        new.to_csv(folder / name, index=False, sep=sign, encoding="latin-1")
    return folder


@pytest.fixture
def files(folder):
    return {name: folder / f"{name}.csv" for name in "AB"}


def truth(name, seed):
    return patients({"A": 80, "B": 60}[name], seed)["readmitted"].to_numpy()


# From nothing to predictions


@pytest.mark.slow
def test_three_commands_lead_from_two_messy_files_to_predictions(folder, capsys):
    a, b, model = (str(folder / name) for name in ("A.csv", "B.csv", MODEL))

    main(["clean", a, b, "--target", "readmitted"])
    told = capsys.readouterr().out
    # One thing is for the user to choose.
    pasted = [*shlex.split(told.split("To paste: ")[1]), "--join", "outer"]
    main(["fit", a, b, "--target", "readmitted", *pasted, "--output", model])
    then = f"To predict: python -m sktandem predict {shlex.quote(model)} A=FILE"
    assert capsys.readouterr().out.splitlines()[-1] == then
    main(["predict", model, f"A={folder}/new_A.csv", f"B={folder}/new_B.csv",
          "--output", str(folder / "predicted.csv")])  # fmt: skip

    # What the first command tells is what the second one needs.
    assert set(pasted) == set(TYPED)
    for option in ("--clean safe", "--missing k.A.", "--encoding latin-1",
                   "--ignore patient_id", "--join outer"):  # fmt: skip
        assert option in told
    assert "readmitted:yes=1" in told
    predicted = pd.read_csv(folder / "predicted.csv")
    assert list(predicted["source"]) == ["A"] * 80 + ["B"] * 60
    assert predicted["patient_id"][0].startswith("A")
    by_hand = load_model(model).predict(folder / "new_A.csv", name="A")
    np.testing.assert_array_equal(predicted["readmitted"][:80], by_hand)
    shares = predicted["readmitted=0"] + predicted["readmitted=1"]
    np.testing.assert_allclose(shares, 1, atol=2e-4)
    right = predicted["readmitted"] == [*truth("A", 2), *truth("B", 3)]
    assert right.mean() > 0.7


def test_the_same_in_a_notebook_in_ten_lines(folder, files):
    tables = read_sources(files, **SETTINGS)
    scaler = table_preprocessor()
    model = tables.fit(Merged(LogisticRegression(max_iter=1000), scaler=scaler))
    model.save(folder / "notebook.joblib")
    model = load_model(folder / "notebook.joblib")
    predicted = model.predict(folder / "new_B.csv", name="B")

    assert np.mean(predicted == truth("B", 3)) > 0.65
    np.testing.assert_allclose(
        model.predict_proba(folder / "new_B.csv", name="B").sum(axis=1), 1
    )


def test_what_is_read_is_the_clean_table(files):
    """Cell by cell what the hospitals mean, but for what B does not know."""
    tables = read_sources(files, **SETTINGS)

    clean = pd.concat([patients(240, 0), patients(120, 1)], ignore_index=True)
    for column in ("sex", "ward", "admitted", "age"):
        assert list(tables.X[column]) == list(clean[column]), column
    known = tables.X["crp"].notna()
    np.testing.assert_array_equal(tables.X["crp"][known], clean["crp"][known])
    assert 0 < (~known).sum() < 30
    np.testing.assert_array_equal(tables.y, clean["readmitted"])
    assert tables.X.loc[tables.sample_source == "B", "insurance"].isna().all()
    assert all(d.settled for d in tables.report.differences)
    assert "'sex' differs by case" in " ".join(tables.notes)


def test_all_problems_come_in_one_answer_with_what_settles_each(files):
    with pytest.raises(SourceError) as caught:
        read_sources(files, target="readmitted")

    told = str(caught.value)
    assert told.startswith("5 problems:\n- B.csv is not UTF-8: line ")
    for settled_by in ("Try encoding='latin-1'", "map={", "ignore=['patient_id']",
                       "missing=['k.A.']", "join='outer'", "clean='safe'"):  # fmt: skip
        assert settled_by in told


def test_one_file_may_hold_all_sources(files, tmp_path):
    frames = [as_a(patients(30, seed)) for seed in (0, 1)]
    both = pd.concat(frames).assign(hospital=["n"] * 30 + ["s"] * 30)
    both.to_csv(tmp_path / "all.csv", index=False)

    tables = read_sources(
        tmp_path / "all.csv", target="readmitted", source="hospital", clean="safe",
        ignore=["patient_id"],
    )  # fmt: skip

    assert list(tables.sample_source) == ["n"] * 30 + ["s"] * 30
    assert "hospital" not in tables.X
    rows = tables.layout.read(both.iloc[::-1])
    assert list(rows.sample_source) == ["s"] * 30 + ["n"] * 30
    assert list(rows.X["age"]) == list(both["age"])[::-1]
    both.loc[both.index[3], "hospital"] = None
    with pytest.raises(SourceError, match="'hospital', the source, is missing in 2 ro"):
        tables.layout.read(both)


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_excel_and_parquet_are_read_like_csv(kind, tmp_path):
    pytest.importorskip({"xlsx": "openpyxl", "parquet": "pyarrow"}[kind])
    paths = {name: tmp_path / f"{name}.{kind}" for name in "AB"}
    for name, path in paths.items():
        table = patients(30, seed=ord(name))
        getattr(table, {"xlsx": "to_excel"}.get(kind, "to_parquet"))(path, index=False)

    X = read_sources(paths, target="readmitted", ignore=["patient_id"]).X

    assert list(X) == ["admitted", "age", "sex", "ward", "crp"]
    assert list(X["admitted"][:30]) == list(patients(30, ord("A"))["admitted"])


# Tomorrow's file


@pytest.fixture(scope="module")
def model(folder):
    files = {name: folder / f"{name}.csv" for name in "AB"}
    tables = read_sources(files, **SETTINGS)
    learner = LogisticRegression(max_iter=1000)
    return tables.fit(Merged(learner, scaler=table_preprocessor(), scale_by="pooled"))


def test_columns_may_come_in_any_order(model):
    new = as_a(patients(20, seed=5))

    ordered = model.predict_proba(new, name="A")

    turned = model.predict_proba(new[new.columns[::-1]], name="A")
    np.testing.assert_allclose(turned, ordered, rtol=1e-12)


def test_extra_columns_are_ignored_with_one_warning(model):
    new = as_a(patients(20, seed=5))

    with pytest.warns(SourceWarning, match=r"\['room', 'bed'\], which fit did") as told:
        extra = model.predict(new.assign(room=1, bed=2), name="A")

    assert len(told) == 1
    np.testing.assert_array_equal(extra, model.predict(new, name="A"))


def test_a_column_that_the_source_never_had_is_missing_as_in_fit(model):
    new = as_a(patients(20, seed=5))

    X = model.layout.read(new, name="A").X

    assert X["district"].isna().all()
    assert "district" not in new


def test_a_column_that_matters_is_named_where_it_is_missing(model):
    new = as_a(patients(20, seed=5)).rename(columns={"crp": "CRP"})

    with pytest.raises(
        SourceError, match=r"of A has no column 'crp', .*another name now, rename it"
    ):
        model.predict(new, name="A")


def test_a_cell_that_fit_did_not_know_is_named(model):
    new = as_a(patients(20, seed=5)).astype({"crp": object})
    new.loc[3, "crp"] = "pending"

    told = "'crp' of The table holds 'pending' in 1 cell.* use missing=.* in fit"
    with pytest.raises(SourceError, match=told):
        model.predict(new, name="A")


def test_dates_of_another_format_are_read_unless_day_and_month_are_unclear(model):
    new = as_a(patients(20, seed=5))
    expected = model.predict_proba(new, name="A")
    named = new.assign(admitted=new["admitted"].dt.strftime("%d %b %Y"))
    unclear = new.assign(admitted="03/04/2024")

    np.testing.assert_allclose(model.predict_proba(named, name="A"), expected)
    told = "'admitted' of The table holds dates with day or month first, such as '03/04"
    with pytest.raises(SourceError, match=told):
        model.predict(unclear, name="A")


def test_a_file_of_one_row_may_have_empty_cells(model, tmp_path):
    """pandas reads its empty category as floats, and its empty date too."""
    path = tmp_path / "one.csv"
    path.write_text("ward,sex,age,crp,admitted,insurance\n,m,61,,,\n")

    X = model.layout.read(path, name="A").X

    assert X["age"].tolist() == [61.0]
    assert X.drop(columns=["age", "sex"]).isna().all(axis=None)
    assert len(model.predict(path, name="A")) == 1


@pytest.mark.skipif(not find_spec("skops"), reason="needs skops")
def test_a_model_of_skops_trusts_this_package_and_asks_about_others(tmp_path):
    from skops import io as skops_io

    with pytest.raises(SourceError, match=r"A model is a file of \.skops or \.joblib"):
        load_model(tmp_path / "model.pkl")
    skops_io.dump({"a": io.StringIO}, tmp_path / "odd.skops")
    with pytest.raises(SourceError, match=r"types \['_io.StringIO'\]. If you trust"):
        load_model(tmp_path / "odd.skops")
    skops_io.dump([1], tmp_path / "list.skops")
    with pytest.raises(SourceError, match="holds a list, not a TableModel"):
        load_model(tmp_path / "list.skops")


def test_the_report_of_cleaning_answers_to_the_five(files):
    report = cleaning_report(files, target="readmitted")

    frame = report.to_frame()
    assert set(frame["kind"]) == {"blanks", "case", "dates", "missing", "answers"}
    assert dict(zip(frame["column"], frame["n_cells"]))["admitted"] == 360
    paste = (
        "clean='safe', missing=['k.A.'], map={'readmitted:yes': 1, 'readmitted:no': 0}"
    )
    paste += ", encoding='latin-1', ignore=['patient_id']"
    assert repr(report).endswith(f"To paste: {paste}")
    assert "'sex' differs by case: 'F' for 'f', 'M' for 'm' (120 cells)." in (
        report.summary()
    )
    assert "| sex | case | B | 120 |" in report.to_markdown()
    pytest.importorskip("matplotlib")
    assert "<svg" in report.to_html()


def test_frames_of_polars_are_read_too():
    pl = pytest.importorskip("polars")
    table = patients(30, seed=0).drop(columns="patient_id")
    frame = pl.DataFrame({c: table[c].to_list() for c in table})

    tables = read_sources({"A": frame, "B": table}, target="readmitted")

    half = tables.X[:30].reset_index(drop=True)
    pd.testing.assert_frame_equal(half, tables.X[30:].reset_index(drop=True))
