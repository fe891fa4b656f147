"""The user's own files: what is read of them, and what is said of bad ones."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sktandem.exceptions import SourceError
from sktandem.files._gather import read_tables
from sktandem.files._sources import cleaning_report, reading_of, source_names


def read_files(paths, target="grade", **how):
    """Read as the command line does, whose messages name options."""
    reading = reading_of(target=target, typed=True, fewest=20, **how)
    return read_tables(dict(zip(source_names(paths, reading), paths)), reading)


def table(n_rows=30, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(50, 9, n_rows).round(1),
            "ward": rng.choice(["north", "south"], n_rows),
            "grade": rng.normal(5, 1, n_rows).round(2),
        }
    )


def written(folder, name, content, **how):
    path = folder / name
    if isinstance(content, pd.DataFrame):
        content.to_csv(path, **{"index": False, **how})
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content, encoding="utf-8")
    return path


@pytest.fixture
def read(tmp_path):
    """Read a good file A and whatever is given as B."""

    def read_beside_a(b, *, name="B.csv", a=None, csv=None, **how):
        paths = [written(tmp_path, "A.csv", table() if a is None else a, **(csv or {}))]
        paths.append(written(tmp_path, name, b, **(csv or {})))
        return read_files(paths, **how)

    return read_beside_a


def as_csv(frame, **how):
    return frame.to_csv(index=False, **how)


# What is read


def test_columns_are_matched_by_name_and_the_target_is_taken_out(read):
    b = table(40, seed=1)

    tables = read(b[["grade", "ward", "age"]])

    assert list(tables.X) == ["age", "ward"]
    np.testing.assert_array_equal(tables.X["age"], [*table()["age"], *b["age"]])
    np.testing.assert_array_equal(tables.y, [*table()["grade"], *b["grade"]])
    assert list(tables.sample_source) == ["A"] * 30 + ["B"] * 40
    assert tables.files == {"A": "A.csv", "B": "B.csv"}
    assert (tables.task, tables.groups, tables.notes) == ("regression", None, ())


@pytest.mark.parametrize(("separator", "spelt"), [(";", "';'"), ("\t", "tab")])
def test_the_header_tells_the_separator(read, separator, spelt):
    tables = read(as_csv(table(), sep=separator))

    assert tables.X.shape == (60, 2)
    assert tables.notes == (f"B.csv is separated by {spelt}.",)


def test_decimal_commas_are_numbers(read):
    tables = read(as_csv(table(), sep=";", decimal=","))

    assert tables.X["age"].dtype == float
    np.testing.assert_array_equal(tables.y[:30], tables.y[30:])
    assert "B.csv writes decimals with a comma." in tables.notes


def test_a_sheet_from_another_century(read):
    b = as_csv(table().assign(ward="Süd")).encode("latin-1")
    a = table().assign(ward="Süd")  # UTF-8, and stays so

    assert set(read(b, a=a, encoding="latin-1").X["ward"]) == {"Süd"}


def test_a_mark_at_the_beginning_is_no_part_of_the_first_name(read):
    assert list(read(as_csv(table()).encode("utf-8-sig")).X) == ["age", "ward"]


def test_files_may_be_packed(tmp_path):
    paths = [tmp_path / "A.csv.gz", tmp_path / "B.csv.gz"]
    for path in paths:
        table().to_csv(path, index=False)

    assert set(read_files(paths).files) == {"A", "B"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:20],
        lambda content: content[:-3],
        lambda content: content[:12] + b"xxxx" + content[16:],
        lambda content: content + b"more",
    ],
    ids=["cut", "torn", "damaged", "longer"],
)
def test_a_damaged_packed_file_is_told_by_name(read, damage):
    content = damage(gzip.compress(as_csv(table()).encode()))

    told = r"B\.csv\.gz is a gzip file that is cut short or damaged: .*\. Copy it again"
    with pytest.raises(SourceError, match=told):
        read(content, name="B.csv.gz")


def test_rows_without_a_target_and_infinite_values(read):
    b = table()
    b.loc[:3, "grade"] = np.nan
    b.loc[9, "age"] = np.inf

    tables = read(b)

    assert len(tables.X) == 56
    assert tables.X["age"].isna().sum() == 1
    assert tables.notes == (
        "4 rows of B.csv without 'grade' left out.",
        "1 infinite value in 'age' of B.csv taken for missing.",
    )


def test_a_nameless_counter_is_ignored(read):
    tables = read(as_csv(table()), a=table().to_csv())

    assert list(tables.X) == ["age", "ward"]
    assert tables.notes == (
        "A column of A.csv without a name counts its rows: ignored.",
    )


def test_repeated_rows_are_told_and_dropped_on_demand(read):
    b = pd.concat([table(), table()])

    assert "30 rows of B.csv repeat another in every value" in read(b).notes[0]
    assert len(read(b, drop_duplicates=True).X) == 60


def test_yes_and_no_are_categories_even_where_some_are_missing(read):
    a, b = table(), table()
    a["smokes"] = [True, False] * 15
    b["smokes"] = [True, None, False] * 10

    X = read(b, a=a).X

    assert list(X["smokes"].dropna().unique()) == ["True", "False"]
    assert X["smokes"].isna().sum() == 10


def test_persons_are_alike_in_all_files(read):
    """A column of whole numbers is one of floats where a value was missing."""
    a = table().assign(pupil=np.arange(30) // 2, school="x")
    b = a.assign(pupil=a["pupil"].astype(float))

    tables = read(b, a=a, groups=("pupil", "school"))

    assert list(tables.X) == ["age", "ward"]
    np.testing.assert_array_equal(tables.groups[:30], tables.groups[30:])
    assert tables.groups[0] == "0 x"


def test_ignored_columns_need_not_be_in_every_file(read):
    assert list(read(table().assign(id="x"), ignore=("id",)).X) == ["age", "ward"]


def test_columns_without_a_value_are_left_out(read):
    tables = read(table().assign(iron=None), a=table().assign(iron=None))

    assert list(tables.X) == ["age", "ward"]
    assert tables.notes == ("The columns ['iron'] hold no value at all: left out.",)


def test_odd_columns_are_told(read):
    b = table().assign(
        age=["?", "n/k", *map(str, range(28))],
        ward=[f"bed {i}" for i in range(30)],
        place=range(30),
    )
    a = b.assign(ward="bed")
    b = pd.concat([b] * 2).assign(ward=[f"bed {i}" for i in range(60)], place=range(60))

    beside = (
        "holds numbers, and '?', 'n/k' for missing in {} cells.",
        "counts its rows: --ignore place if it says nothing else.",
    )
    assert read(b, a=a).notes == (
        f"'place' of A.csv {beside[1]}",
        "'ward' of B.csv has 60 different strings in 60 rows, more like names than "
        "categories: --ignore ward",
        f"'place' of B.csv {beside[1]}",
        f"'age' of A {beside[0].format(2)}",
        f"'age' of B {beside[0].format(4)}",
        "To settle what is written differently: --missing '?' n/k",
    )
    assert read(b, a=a, missing=("?", "n/k")).X["age"].isna().sum() == 6


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    paths = []
    for place in ("clinic", "lab"):
        (tmp_path / place).mkdir()
        paths.append(written(tmp_path / place, "data.csv", table()))

    tables = read_files(paths)

    assert list(tables.files) == ["clinic/data", "lab/data"]


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="needs pyarrow")
def test_parquet_is_read(tmp_path):
    paths = [tmp_path / "A.parquet", tmp_path / "B.parquet"]
    for path in paths:
        table().astype({"ward": "category", "age": "Float64"}).to_parquet(path)

    tables = read_files(paths)

    assert [dtype.kind for dtype in tables.X.dtypes] == ["f", "O"]


# What is predicted


@pytest.mark.parametrize(
    ("grades", "task", "expected"),
    [
        (["good", "bad"], "auto", "classification"),
        ([True, False], "auto", "classification"),
        ([0, 1], "auto", "classification"),
        ([0, 1], "regression", "regression"),
        ([3, 4, 5], "auto", "regression"),
        ([3, 4, 5], "classification", "classification"),
        ([0.5, 1.5], "auto", "regression"),
    ],
)
def test_the_task_follows_from_the_target(read, grades, task, expected):
    frame = table().assign(grade=grades * (30 // len(grades)))

    tables = read(frame, a=frame, task=task)

    assert tables.task == expected
    assert len(set(tables.y)) == len(grades)


def test_few_numbers_may_be_classes_and_that_is_said(read):
    frame = table().assign(grade=[3, 4, 5] * 10)

    assert read(frame, a=frame).notes == (
        "'grade' has 3 different numbers, taken for a quantity. If each is a class: "
        "--task classification",
    )


def test_a_class_of_one_file_alone_is_told(read):
    a, b = (
        table().assign(grade=own * 10) for own in (["x", "y", "z"], ["x", "y", "x"])
    )

    assert read(b, a=a).notes == ("B.csv does not have the classes ['z'] of 'grade'.",)


# What is wrong


WRONG = {
    "another name of the target": (
        table().rename(columns={"grade": "grad"}),
        r"B.csv has no column 'grade'. The columns are \['age', 'ward', 'grad'\]. Did "
        "you mean 'grad'",
    ),
    "one row": (
        table(1),
        "B.csv has 1 row with a value of 'grade', and at least 20 are",
    ),
    "a header alone": (table(0), "B.csv has a header and no rows below it."),
    "nothing": ("", "B.csv is empty."),
    "a sheet": (
        b"PK\x03\x04",
        "B.csv looks like a spreadsheet or an archive. Save it as CSV or .xlsx",
    ),
    "bytes": (b"a,b\n\0\0,1\n", "B.csv is not a text file"),
    "old letters": (
        "age,ward,grade\n1,Süd,3\n".encode("latin-1"),
        "B.csv is not UTF-8: line 2 holds the byte 0xfc. Try --encoding latin-1",
    ),
    "wide letters": (
        as_csv(table()).encode("utf-16"),
        "B.csv is not UTF-8. Try --encoding utf-16.",
    ),
    "twice a name": (
        "age,age,grade\n1,2,3\n",
        r"B.csv has the columns \['age'\] more than once",
    ),
    "longer rows": (
        "age,ward,grade\n" + "1,n,3,4\n" * 30,
        "B.csv has rows with more cells than its header names. Is ',' what separates",
    ),
    "a longer row": (
        "age,ward,grade\n" + "1,n,3\n" * 30 + "1,n,3,4\n",
        "B.csv cannot be read as columns separated by ',': Expected 3 fields in",
    ),
    "a single column": (
        "grade\n1\n2\n",
        "B.csv has a single column, 'grade'. A target and a column to predict it from",
    ),
    "texts for numbers": (
        table().assign(grade=["4.5", "poor", "5"] * 10),
        "The targets differ: 'grade' holds numbers in A.csv and strings in B.csv, such "
        "as 'poor'. If that means a missing value: --missing poor.",
    ),
    "yes for one": (
        table().assign(grade=["yes", "no", "yes"] * 10),
        "as 'yes'. Write it alike in all files: --map yes=1 no=0",
    ),
    "always the same": (
        table().assign(grade=3),
        "'grade' is 3 in every row of B.csv, so that there is nothing to predict",
    ),
    "another column": (
        table().assign(iron=1.0),
        r"'A' does not have \['iron'\]. Rename what only differs in spelling. --join "
        "inner keeps the 2 that all have; --join outer keeps all 3",
    ),
    "a column of another kind": (
        table().assign(age=["?", *map(str, range(29))]),
        "'age' holds numbers in A.csv, such as 51.1 and strings in B.* --missing '?'",
    ),
    "an infinite target": (
        table().assign(grade=[np.inf, *range(29)]),
        "'grade' of B.csv holds infinite values",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_file_is_said(read, case):
    content, message = WRONG[case]

    with pytest.raises(SourceError, match=message):
        read(content)


def classes(*own):
    return table().assign(grade=list(own) * (30 // len(own)))


def person_missing():
    return table().assign(pupil=[None, *range(29)])


@pytest.mark.parametrize(
    ("a", "b", "how", "message"),
    [
        (
            classes("ill", "well"),
            classes("I", "W"),
            {},
            r"The files share no class of 'grade': A.csv has \['ill', 'well'\]; B.csv "
            r"has \['I', 'W'\]. .* sktandem.SharedNet with heads='source' learns both",
        ),
        (
            classes(*(f"c{i}" for i in range(30))),
            classes(*(f"c{i}" for i in range(30))),
            {},
            "'grade' holds 30 different values in 60 rows, too many to be classes",
        ),
        (
            classes("ill", "well"),
            classes("ill", "well"),
            {"task": "regression"},
            "--task regression needs numbers, and 'grade' holds strings, such as 'ill'",
        ),
        (
            None,
            table(),
            {"task": "classification"},
            "--task classification needs classes, and 'grade' holds numbers such as",
        ),
        (None, table(), {"groups": ("pupil",)}, "A.csv has no column 'pupil'"),
        (
            person_missing(),
            table(),
            {"groups": ("pupil",)},
            "B.csv has no column 'pupil'",
        ),
        (
            person_missing(),
            person_missing(),
            {"groups": ("pupil",)},
            "--groups pupil is missing in 1 row of A.csv",
        ),
        (
            None,
            table(),
            {"ignore": ("wrad",)},
            "--ignore: no file has a column 'wrad'. .* Did you mean 'ward'",
        ),
        (
            None,
            table(),
            {"ignore": ("grade",)},
            "'grade' is the target, and cannot be left out",
        ),
        (
            None,
            table(),
            {"ignore": ("age", "ward")},
            "A.csv has no column left to predict 'grade' from",
        ),
        (
            None,
            table(),
            {"separator": ";"},
            "A.csv has a single column, 'age,ward,grade', if separated by ';'. It "
            "looks separated by ',': try --separator ,",
        ),
        (
            None,
            table(),
            {"encoding": "klingon"},
            "--encoding klingon is not known. Try utf-8, latin-1 or utf-16",
        ),
    ],
)
def test_what_does_not_fit_together_is_said(read, a, b, how, message):
    with pytest.raises(SourceError, match=message):
        read(b, a=a, **how)


def test_of_a_file_that_cannot_be_read_nothing_else_is_told(tmp_path):
    """Its rows may have the classes and columns that the others do not share."""
    a, b = classes("ill", "well"), classes("I", "W")
    paths = [written(tmp_path, f"{n}.csv", t) for n, t in {"A": a, "B": b}.items()]

    with pytest.raises(SourceError) as caught:
        read_files([*paths, tmp_path / "nowhere.csv"], ignore=("id",))

    assert str(caught.value).startswith("There is no file ")
    assert "problems" not in str(caught.value)
    without = written(tmp_path, "C.csv", table().drop(columns="grade"))
    with pytest.raises(SourceError, match=r"C\.csv has no column 'grade'") as caught:
        read_files([paths[0], without])
    assert "problems" not in str(caught.value)


def test_the_list_of_cleaning_says_first_that_a_file_could_not_be_read(tmp_path):
    """Of a file that is not there nobody knows what it writes differently."""
    table().assign(ward=["icu ", "ICU"] * 15).to_csv(tmp_path / "B.csv", index=False)
    for own in (written(tmp_path, "A.csv", table()), tmp_path / "B.csv"):
        report = cleaning_report([own, tmp_path / "nowhere.csv"])

        assert bool(report.differences) == (own.stem == "B")
        assert "Nothing is written differently" not in repr(report)
        for told in (repr(report), report.summary()):
            assert told.startswith("Problem: There is no file ")


def test_of_one_file_the_source_is_named(tmp_path):
    both = pd.concat([table().assign(site="n"), table(3).assign(site="s")])
    path = written(tmp_path, "all.csv", both)
    reading = reading_of(target="grade", source="site", typed=True, fewest=20)

    with pytest.raises(SourceError, match=r"^site=s of all\.csv has 3 rows with"):
        read_tables({"all": path}, reading)


def test_paths_that_lead_nowhere(tmp_path):
    good = written(tmp_path, "clinic.csv", table())

    for paths, message in (
        (
            [good],
            "Two files or more are needed, got 1 file. Of one file, --source COLUMN",
        ),
        (
            [good, tmp_path / "clinc.csv"],
            "no file .*clinc.csv. Did you mean 'clinic.csv'",
        ),
        ([good, tmp_path], "is a folder. Name the files in it"),
        ([good, good], "Two files would both be called .*clinic'"),
    ):
        with pytest.raises(SourceError, match=message):
            read_files(paths)


@pytest.mark.skipif(find_spec("pyarrow") is not None, reason="pyarrow is there")
def test_parquet_says_what_it_needs(tmp_path):
    paths = [written(tmp_path, name, b"PAR1") for name in ("A.parquet", "B.parquet")]

    with pytest.raises(ImportError, match=r"A\.parquet needs pyarrow. Install it with"):
        read_files(paths)


def test_reading_leaves_the_files_alone(read, tmp_path):
    read(table())
    before = Path(tmp_path, "A.csv").read_bytes()
    read(table(), drop_duplicates=True)

    assert Path(tmp_path, "A.csv").read_bytes() == before
