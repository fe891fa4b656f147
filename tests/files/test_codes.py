"""Codes such as 01067 keep their zeros, from the file to the prediction."""

import io
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from sktandem import Merged, SourceWarning, read_sources, table_preprocessor
from sktandem.cli import main
from sktandem.files import cleaning_report
from sktandem.files._file import read_file
from sktandem.files._reading import Reading

ZIPS = ["01067", "80331", "04103"]
DIGITS = st.lists(st.text("0123456789", min_size=1, max_size=6), min_size=1)


def clinic(zips=ZIPS, times=10, **more):
    """Return patients of whom those of the first code are ill."""
    rows = list(zips) * times
    ill = [int(code == zips[0]) for code in rows]
    age = [30 + 7 * i % 11 for i in range(len(rows))]
    return pd.DataFrame({"zip": rows, "age": age, "ill": ill, **more})


def files_of(folder, a, b, sep=";"):
    a.to_csv(folder / "A.csv", index=False)
    b.to_csv(folder / "B.csv", index=False, sep=sep)
    return {name: folder / f"{name}.csv" for name in "AB"}


@pytest.fixture
def files(tmp_path):
    """B comes from a spreadsheet, which took the codes for numbers."""
    return files_of(tmp_path, clinic(), clinic().astype({"zip": int}))


@settings(max_examples=50, deadline=None)
@given(strings=DIGITS, sep=st.sampled_from(",;\t"), quoted=st.booleans())
def test_digits_are_read_as_they_are_written_if_one_has_a_leading_zero(
    strings, sep, quoted, tmp_path_factory
):
    path = tmp_path_factory.getbasetemp() / "codes.csv"
    pd.DataFrame({"age": 1.5, "code": strings}).to_csv(
        path, index=False, sep=sep, quoting=int(quoted)
    )

    frame, _ = read_file(path, "A", Reading("y"), [], [])

    leading = any(len(s) > 1 and s[0] == "0" for s in strings)
    expected = strings if leading else [int(s) for s in strings]
    assert frame["code"].tolist() == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["01", "", "2"], ["01", np.nan, "2"]),
        (["01 ", "2", "3"], ["01", "2", "3"]),
        (["00", "-9", "NA"], ["00", "-9", np.nan]),
        (["01.50", "02", "3"], [1.5, 2.0, 3.0]),  # numbers of one width
        (["0", "1", "0"], [0, 1, 0]),
        (["0.5", "0", "10"], [0.5, 0, 10]),
        (["0830", "1200", "?"], ["0830", "1200", "?"]),
    ],
)
def test_what_is_a_code(cells, expected, tmp_path):
    path = tmp_path / "A.csv"
    path.write_text("code,age\n" + "".join(f"{cell},1\n" for cell in cells))

    frame, _ = read_file(path, "A", Reading("y"), [], [])

    assert frame["code"].fillna("gone").tolist() == (
        pd.Series(expected, dtype=object).fillna("gone").tolist()
    )


def test_text_cells_of_a_sheet_are_what_they_say(tmp_path):
    pytest.importorskip("openpyxl")
    written = clinic(dose=["1.5", "2", "0.25"] * 10, seen=pd.Timestamp("2024-03-01"))
    written.to_excel(tmp_path / "A.xlsx", index=False)

    frame, _ = read_file(tmp_path / "A.xlsx", "A", Reading("y"), [], [])

    assert frame["zip"].tolist() == ZIPS * 10
    assert frame["dose"].tolist() == [1.5, 2.0, 0.25] * 10
    assert frame["age"].dtype == np.int64
    assert (frame["seen"] == pd.Timestamp("2024-03-01")).all()


def test_a_column_of_codes_is_one_in_every_file(files):
    tables = read_sources(files, target="ill")

    assert tables.X["zip"].tolist() == ZIPS * 10 + ["1067", "80331", "4103"] * 10
    assert tables.layout.kinds["zip"] == "category"
    assert (
        "'zip' holds codes with leading zeros, such as '01067': read as strings. If "
        "they are numbers: convert=['A:zip*1', 'B:zip*1']"
    ) in tables.notes


def test_codes_that_have_lost_their_zeros_are_listed_and_get_them_back(files):
    report = cleaning_report(files, target="ill")
    tables = read_sources(files, target="ill", clean=["safe", "zeros"])

    (found,) = report.differences
    assert (found.kind, found.column, found.sources, found.n_cells) == (
        "zeros", "zip", ("B",), 20
    )  # fmt: skip
    assert found.sentence == (
        "'zip' holds codes with leading zeros, with 5 digits each, and B has '1067', "
        "which counts as another code (20 cells)."
    )
    assert report.options == "clean='zeros'"
    assert tables.X["zip"].tolist() == ZIPS * 20


def test_codes_of_several_lengths_are_listed_where_they_meet(tmp_path):
    codes, plain = ["01", "007", "2"], [1, 7, 9]
    files = files_of(tmp_path, clinic(codes), clinic(plain))

    report = cleaning_report(files, target="ill")

    (found,) = report.differences
    assert (found.sources, found.n_cells) == (("B",), 20)  # 9 is a code of B alone
    assert "of several lengths, and B has '1', which counts as an" in found.sentence
    assert report.options == "ignore=['zip']"


def test_codes_without_a_difference_are_no_difference(tmp_path):
    files = files_of(tmp_path, clinic(), clinic(["80331", "10115", "20095"]))

    tables = read_sources(files, target="ill", clean="safe")

    assert tables.report.differences == ()
    assert set(tables.X["zip"]) == {*ZIPS, "10115", "20095"}


@pytest.mark.parametrize("clean", [None, "safe"])
def test_strings_of_a_frame_keep_their_zeros_too(clean):
    """Settled decimals, or a code for missing, would make numbers of them."""
    a = clinic(["01067", "80331", "-9"])

    tables = read_sources(
        {"A": a, "B": clinic()}, target="ill", clean=clean, missing=[-9]
    )

    assert tables.X["zip"].dropna().tolist() == ZIPS[:2] * 10 + ZIPS * 10


def test_converted_codes_are_numbers(files):
    tables = read_sources(files, target="ill", convert=["A:zip*1", "B:zip*1"])

    assert tables.X["zip"].tolist() == [1067, 80331, 4103] * 20


def test_groups_and_targets_keep_their_zeros(tmp_path):
    a = clinic(pupil=["007", "008", "010"] * 10, ill=["01", "02", "01"] * 10)
    b = a.astype({"pupil": int})
    files = files_of(tmp_path, a, b)

    tables = read_sources(files, target="ill", groups=["pupil"], clean="zeros")

    assert set(tables.y) == {"01", "02"}
    assert tables.groups.tolist() == ["007", "008", "010"] * 20
    told = cleaning_report(files, target="ill", groups=["pupil"])
    assert [(d.kind, d.column) for d in told.differences] == [("zeros", "pupil")]


# Tomorrow's file


def fitted(files, **settings):
    tables = read_sources(files, target="ill", **settings)
    scaler = table_preprocessor()
    return tables.fit(Merged(LogisticRegression(C=100), scaler=scaler))


def test_tomorrows_codes_are_those_of_fit(files, tmp_path):
    model = fitted(files, clean="zeros")
    new = tmp_path / "new.csv"

    new.write_text("age;zip\n41;01067\n44;80331\n")
    written = model.predict(new, name="A")
    new.write_text("age;zip\n41;1067\n44;80331\n")
    shortened = model.predict(new, name="B")

    assert written.tolist() == shortened.tolist() == [1, 0]


def test_tomorrows_codes_without_zeros_are_told(tmp_path):
    model = fitted(files_of(tmp_path, clinic(), clinic()))
    new = clinic().astype({"zip": int})

    told = (
        r"'zip' of The table holds '1067', where the codes of fit have 5 digits \(20 "
        r"cells\): other categories\. clean='zeros' in fit adds"
    )
    with pytest.warns(SourceWarning, match=told):
        X = model.layout.read(new, name="A").X
    assert X["zip"].tolist() == ["1067", "80331", "4103"] * 10


def test_zeros_before_the_numbers_of_fit_are_no_error(tmp_path):
    model = fitted(files_of(tmp_path, clinic([1, 2, 3]), clinic([1, 2, 3])))
    (tmp_path / "new.csv").write_text("age,zip\n41,01\n44,02\n")

    X = model.layout.read(tmp_path / "new.csv", name="A").X

    assert X["zip"].tolist() == [1.0, 2.0]


@pytest.mark.slow
def test_the_command_line_keeps_zeros_from_fit_to_predict(tmp_path, capsys):
    ids = [f"{i:05}" for i in range(30)]
    files = files_of(tmp_path, clinic(id=ids), clinic(id=ids))
    model = str(tmp_path / ("m.skops" if find_spec("skops") else "m.joblib"))
    (tmp_path / "new.csv").write_text("id,zip,age\n007,01067,41\n008,80331,44\n")

    main(["clean", *map(str, files.values()), "--target", "ill", "--ignore", "id"])
    assert "Nothing is written differently." in capsys.readouterr().out
    main(["fit", *map(str, files.values()), "--target", "ill", "--ignore", "id",
          "--output", model])  # fmt: skip
    assert "Note: 'zip' holds codes with leading zeros" in capsys.readouterr().out
    main(["predict", model, f"A={tmp_path}/new.csv"])

    told = capsys.readouterr().out
    predicted = pd.read_csv(io.StringIO(told), dtype={"id": str})
    assert predicted["id"].tolist() == ["007", "008"]
    assert predicted["ill"].tolist() == [1, 0]
