"""What is only written differently: found, counted, and settled by what is named."""

import numpy as np
import pandas as pd
import pytest

from sktandem import SourceError, read_sources
from sktandem.data._spelling import as_answers, fold
from sktandem.files import cleaning_report
from sktandem.files._cells import MIXED, UNCLEAR, as_dates, date_format

N = 200
RNG = np.random.default_rng(0)
HEIGHT = RNG.normal(170, 9, N)


def report_of(a, b, **settings):
    return cleaning_report({"A": pd.DataFrame(a), "B": pd.DataFrame(b)}, **settings)


def found(report):
    return [(d.kind, d.column, d.sources, d.n_cells) for d in report.differences]


ALIKE = {"ward": ["ICU", "ward"] * 5, "age": range(10)}
CASES = {
    "nothing": (["ICU", "x"], ["x", "ICU"], None, None),
    "blanks": (["ICU ", "x"], ["ICU", "x"], ("blanks", ("A",), 1), "clean='safe'"),
    "inner blanks": (
        ["big  ward", "x"], ["big ward", "x"], ("blanks", ("A",), 1), "clean='safe'"
    ),
    "case": (["m", "f"], ["M", "F"], ("case", ("B",), 2), "clean='safe'"),
    "accents": (["Süd", "x"], ["Sud", "x"], ("accents", ("B",), 1), "clean='accents'"),
    "dates": (
        ["2024-03-01", "2024-03-02"], ["01.03.2024", "02.03.2024"],
        ("dates", ("A", "B"), 4), "clean='safe'",
    ),
    "dates with the names of months": (
        ["2024-03-01", "2024-03-02"], ["1 Mar 2024", "2-MAR-24"],
        ("dates", ("A", "B"), 4), "clean='safe'",
    ),
    "dates of an unclear order": (
        ["2024-03-01"], ["03/04/2024"], ("dates", ("A", "B"), 2), "date_order='day'"
    ),
    "decimal commas": (
        ["1,5", "2"], [1.5, 2.0], ("decimals", ("A",), 2), "clean='safe'"
    ),
    "yes and 1": (
        ["yes", "no"], [1, 0], ("answers", ("A",), 2), "map={'c:yes': 1, 'c:no': 0}"
    ),
    "yes and ja": (
        ["yes", "no"], ["ja", "nein"], ("answers", ("A", "B"), 4),
        "map={'c:yes': 1, 'c:no': 0, 'c:ja': 1, 'c:nein': 0}",
    ),
    "yes and True": (
        ["yes", "no"], [True, False], ("answers", ("A", "B"), 4),
        "map={'c:yes': 1, 'c:no': 0, 'c:True': 1, 'c:False': 0}",
    ),
    "True and 1": (
        [True, False], [1, 0], ("answers", ("A",), 2),
        "map={'c:True': 1, 'c:False': 0}",
    ),
    "abbreviated words": (
        ["m", "f"], ["male", "female"], ("words", ("B",), 2),
        "map={'c:male': 'm', 'c:female': 'f'}",
    ),
    "stages are no abbreviations": (["I", "II"], ["III", "IV"], None, None),
    "hyphens": (
        ["ICU-1", "x"], ["ICU 1", "x"], ("words", ("B",), 1), "map={'c:ICU 1': 'ICU-1'}"
    ),
    "umlauts": (
        ["Köln", "x"], ["Koeln", "x"], ("words", ("B",), 1), "map={'c:Koeln': 'Köln'}"
    ),
    "thousands": (
        ["16,500", "2,000", "980"], [16500, 2000, 9], ("thousands", ("A",), 2),
        "clean='thousands'",
    ),
    "zeros for missing": (
        [37, 0, 38, 0], [37, 36], ("missing", ("A",), 2), "missing=['c:0']"
    ),
    "a word for missing": (
        ["ICU", "?"], ["ICU", "x"], ("missing", ("A",), 1), "missing=['c:?']"
    ),
    "strings among numbers": (
        ["1", "2", "3", "4", "k.A."], [1, 2], ("missing", ("A",), 1),
        "missing=['k.A.']",
    ),
    "other strings among numbers": (
        ["1", "2", "3", "4", "12 mg"], [1, 2], ("strings", ("A",), 1),
        "missing=['12 mg']",
    ),
    "a negative code": (
        [40, -9, 50, -9], [40, 50], ("missing", ("A",), 2), "missing=['c:-9']"
    ),
    "a large code": (
        [40, 999, 50, 999], [40, 50], ("missing", ("A",), 2), "missing=['c:999']"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_differently_is_found_and_counted(case):
    a, b, expected, option = CASES[case]

    report = report_of({"c": a}, {"c": b})

    if expected is None:
        assert found(report) == []
        assert repr(report) == "Nothing is written differently."
        return
    kind, sources, n_cells = expected
    assert found(report) == [(kind, "c", sources, n_cells)]
    assert report.options == option


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][2]])
def test_what_it_names_settles_it(case):
    a, b, _, option = CASES[case]
    settings = eval(f"dict({option})")

    report = report_of({"c": a}, {"c": b}, **settings)

    assert all(d.settled or d.kind == "dates" for d in report.differences)
    if case != "dates of an unclear order":
        assert report.unsettled == ()
    else:  # the order is known now, and the dates are still strings
        assert report.options == "clean='safe'"


def test_real_values_are_no_codes():
    """-9 among degrees, 99 years and a heavy tail are what they are."""
    degrees = [-9.0, -9.0, -12.0, 3.0, 20.0]
    report = report_of({"t": degrees}, {"t": degrees})
    ages = report_of({"age": [99, 99, 98, 60]}, {"age": [50, 60, 70, 98]})

    assert found(report) == found(ages) == []


@pytest.mark.parametrize(
    ("factor", "offset", "written"),
    [(2.54, 0, "*2.54"), (10, 0, "*10"), (1.8, 32, "*1.8+32")],
)
def test_another_unit_is_found_and_converted(factor, offset, written):
    other = HEIGHT[::-1] * factor + offset
    y = np.arange(N) % 2

    report = report_of({"h": HEIGHT, "y": y}, {"h": other, "y": y})
    tables = read_sources(
        {"A": pd.DataFrame({"h": HEIGHT, "y": y}),
         "B": pd.DataFrame({"h": other, "y": y})},
        target="y", convert=[f"A:h{written}"],
    )  # fmt: skip

    assert found(report) == [("units", "h", ("A",), N)]
    assert report.options == f"convert=['A:h{written}']"
    np.testing.assert_allclose(tables.X["h"][:N], HEIGHT * factor + offset)
    np.testing.assert_array_equal(tables.X["h"][N:], other)


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("Blood Pressure", RNG.normal(0, 1, N), "the names differ in spelling alone"),
        ("bloodpresure", RNG.normal(0, 1, N), "their names are alike"),
        ("RR", HEIGHT[::-1], "their numbers are spread alike"),
    ],
)
def test_one_column_under_two_names(name, values, told):
    report = report_of({"blood_pressure": HEIGHT}, {name: values})

    assert found(report) == [("names", name, ("B",), N)]
    assert told in report.differences[0].sentence
    assert report.options == f"rename={{{name!r}: 'blood_pressure'}}"


def test_columns_of_other_names_and_values_are_two():
    assert found(report_of({"crp": HEIGHT}, {"pulse": HEIGHT / 2})) == []


def test_case_goes_to_the_commonest_spelling():
    a = pd.DataFrame({"c": ["icu", "ICU", "ICU "], "y": [0, 1, 0]})

    X = read_sources({"A": a, "B": a}, target="y", clean="safe").X

    assert list(X["c"]) == ["ICU"] * 6


def test_only_what_clean_names_is_settled():
    a = pd.DataFrame({"c": ["icu ", "ICU", "ICU", "Süd"], "y": [0, 1, 0, 1]})

    X = read_sources({"A": a, "B": a}, target="y", clean=["blanks"]).X

    assert list(X["c"][:4]) == ["icu", "ICU", "ICU", "Süd"]


def test_frames_of_the_user_stay_as_they_are():
    a = pd.DataFrame({"c": ["icu ", "ICU"], "n": ["1,5", "-9"], "y": ["no", "yes"]})
    before = a.copy(deep=True)

    read_sources({"A": a, "B": a}, target="y", clean="safe", missing=[-9],
                 map={"yes": 1, "no": 0}, rename={"c": "d"})  # fmt: skip

    pd.testing.assert_frame_equal(a, before)


@pytest.mark.parametrize(
    ("strings", "order", "expected"),
    [
        (["2024-03-01"], None, "%Y-%m-%d"),
        (["2024-03-01 12:30"], None, "%Y-%m-%d %H:%M"),
        (["2024-03-01T12:30:10"], None, "%Y-%m-%dT%H:%M:%S"),
        (["1.3.2024", "31.12.2024"], None, "%d.%m.%Y"),
        (["03/04/2024"], None, UNCLEAR),
        (["03/04/2024"], "month", "%m/%d/%Y"),
        (["03/04/2024", "03/31/2024"], None, "%m/%d/%Y"),
        (["31/03/24"], None, "%d/%m/%y"),
        (["2024-03-01 00:00:00.000"], None, "%Y-%m-%d %H:%M:%S.%f"),
        (["2024-03-01T12:30:10Z"], None, "%Y-%m-%dT%H:%M:%SZ"),
        (["2024-03-01", "1 March 2024"], "month", "%Y-%m-%d"),
        (["1-Mar-24 12:30"], None, "%Y-%m-%d %H:%M"),
        (["31/31/2024"], None, None),
        (["2024-03-01", "1.3.2024"], None, MIXED),
        (["12 Jui 2024"], None, None),  # juin or juillet
        (["Ward 12 34"], None, None),
        (["1.5"], None, None),
        ([], None, None),
    ],
)
def test_the_format_of_dates(strings, order, expected):
    assert date_format(strings, order) == expected


@pytest.mark.parametrize(
    "string",
    ["16 Feb 2024", "16-Feb-24", "16FEB2024", "Feb 16, 2024", "February 16 2024",
     "16. Februar 2024", "16 févr. 2024", "2024-Feb-16", "16/feb/2024"],
)  # fmt: skip
def test_a_date_with_the_name_of_a_month_is_that_day(string):
    values = pd.Series([string, None], dtype=object)

    dates = as_dates(values, date_format([string]))

    assert list(dates.dropna()) == [pd.Timestamp(2024, 2, 16)]


@pytest.mark.parametrize(
    ("strings", "kind", "told"),
    [
        (["1 Mar 2024", "k.A."], "missing", "dates, and 'k.A.' for missing in 1 cell"),
        (["1.3.2024", "31.02.2024"], "strings", "dates beside '31.02.2024' in 1 cell"),
    ],
)
def test_what_keeps_a_column_from_being_dates_is_named(strings, kind, told):
    """And clean="safe" does not claim to have settled it."""
    a = {"c": ["2024-03-01", "2024-03-02"]}

    report = report_of(a, {"c": strings}, clean="safe")

    assert found(report) == [(kind, "c", ("B",), 1), ("dates", "c", ("A", "B"), 4)]
    assert told in report.differences[0].sentence
    assert report.options == f"missing=[{strings[1]!r}], clean='safe'"
    report = report_of(a, {"c": strings}, clean="safe", missing=[strings[1]])
    assert report.unsettled == ()


def test_dates_in_several_formats_in_one_file_are_not_said_to_be_settled():
    a, b = {"c": ["2024-03-01", "2024-03-02"]}, {"c": ["2024-03-01", "2.3.2024"]}

    report = report_of(a, b, clean="safe")

    (difference,) = report.unsettled
    assert "'c' of B holds dates in several ways of writing" in difference.sentence
    assert report.options == "ignore=['c']"


def test_keys_of_spellings():
    assert fold(" Große  Straße ") == "grosse strasse"
    assert fold("Süd", ("case",)) == "süd"
    assert as_answers(["Ja", "nein"]) == {"Ja": 1, "nein": 0}
    assert as_answers(["yes", "maybe"]) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"clean": "all"}, "clean must be one of .*, or 'safe', got 'all'"),
        ({"convert": ["A:h"]}, r"convert must be SOURCE:COLUMN\*FACTOR"),
        ({"date_order": "year"}, r"date_order must be one of \['day', 'month', None\]"),
        ({"join": "left"}, "join must be one of"),
        ({"convert": [b"A:h*2"]}, r"convert must be SOURCE:COLUMN\*FACTOR"),
        ({"clean": 3}, "clean must be a list, got 3"),
        ({"drop_duplicates": "a"}, "drop_duplicates must be True or False, got 'a'"),
        ({"target": 3}, "target must name a column, got 3"),
        ({"decimal": 1.5}, r"decimal=1\.5 must be a single character\."),
        ({"decimal": ""}, r"decimal='' must be a single character\."),
        ({"decimal": {"A": 1}}, r"decimal=1 must be a single character\."),
        ({"separator": [";"]}, r"separator=\[';'\] must be a single character or tab"),
        ({"ignore": 3}, "ignore must be a list, got 3"),
        ({"rename": ["age"]}, r"rename must be a dict of {old: new}, got \['age'\]"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(SourceError, match=message):
        report_of(ALIKE, ALIKE, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"rename": {"wrad": "w"}},
            "rename: no file has a column 'wrad'. .*mean 'ward'",
        ),
        ({"convert": ["C:age*2"]}, r"'C:age\*2'\] names 'C', which is not a source"),
        ({"convert": ["A:aeg*2"]}, r"A has no column 'aeg'\. Did you mean 'age'"),
        ({"convert": ["A:ward*2"]}, "'ward' of A does not hold numbers"),
        ({"map": {"wrad:ICU": "x"}}, "map names 'wrad:ICU', and no file has a column"),
        ({"missing": ["aeg:-9"]}, "missing names 'aeg:-9'.*Did you mean 'age'"),
        (
            {"decimal": {"b": ","}},
            r"decimal names 'b', which is not a source\. The sou",
        ),
        ({"ignore": ["idd"]}, "ignore: no file has a column 'idd'"),
    ],
)
def test_settings_that_would_have_no_effect_are_told(settings, message):
    with pytest.raises(SourceError, match=message):
        read_sources(
            {"A": pd.DataFrame(ALIKE | {"y": range(10)}),
             "B": pd.DataFrame(ALIKE | {"y": range(10)})},
            target="y", **settings,
        )  # fmt: skip


def test_dates_are_no_numbers_to_convert():
    table = pd.DataFrame({"at": pd.date_range("2024-01-01", periods=4), "y": range(4)})

    with pytest.raises(SourceError, match="'at' of A does not hold numbers"):
        read_sources({"A": table, "B": table}, target="y", convert=["A:at*2"])


def test_a_cell_may_hold_a_colon():
    table = pd.DataFrame({"at": ["12:30", "18:00"], "y": [0.5, 1.5]})

    tables = read_sources({"A": table, "B": table}, target="y", map={"12:30": "noon"})

    assert list(tables.X["at"]) == ["noon", "18:00"] * 2


def test_numbers_of_two_classes_are_the_same_in_all_files():
    """0 and 1 beside 1 and 2 would be three numbers, and so a quantity."""
    a, b = ({"x": [0.5, 1.5], "y": own} for own in ([0, 1], [1, 2]))
    files = {"A": pd.DataFrame(a), "B": pd.DataFrame(b)}

    with pytest.raises(SourceError) as caught:
        read_sources(files, target="y")
    settled = read_sources(files, target="y", convert=["B:y*1-1"])

    assert str(caught.value) == (
        "The targets differ: 'y' is 0 or 1 in A and 1 or 2 in B. If 1 means 0: "
        "convert=['B:y*1-1']. If they are a quantity: task='regression'."
    )
    assert list(settled.y) == [0, 1, 0, 1]
    assert settled.task == "classification"
    assert read_sources(files, target="y", task="regression").task == "regression"


@pytest.mark.parametrize("clean", [["safe"], ["safe", "thousands"]])
def test_commas_between_thousands_are_no_decimal_commas(clean):
    """16,500 is 16500 or 16.5, and nobody knows which but its user."""
    a = pd.DataFrame({"n": ["16,500", "1,250,000.5", "7"], "y": [0.5, 1.5, 2.5]})
    b = pd.DataFrame({"n": [16500.0, 900.0, 7.0], "y": [0.5, 1.5, 2.5]})

    if clean == ["safe"]:
        with pytest.raises(SourceError, match=r"such as '16,500'.*clean='thousands'"):
            read_sources({"A": a, "B": b}, target="y", clean=clean)
    else:
        tables = read_sources({"A": a, "B": b}, target="y", clean=clean)
        assert list(tables.X["n"][:3]) == [16500, 1250000.5, 7]


@pytest.mark.parametrize("n_rows", [60, 120])
def test_nineteen_of_twenty_changes_of_unit_are_found(n_rows):
    hits = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(170, 9, n_rows), rng.normal(170, 9, n_rows) / 2.54
        options = report_of({"h": a}, {"h": b.round(1)}).options
        hits += options == "convert=['B:h*2.54']"
    assert hits >= 36


def test_columns_of_one_name_are_refused():
    twice = pd.DataFrame([["x", 1, 2.0]] * 3, columns=["ward", "ward", "age"])

    with pytest.raises(SourceError, match="B has several columns called 'ward'"):
        read_sources({"A": pd.DataFrame(ALIKE), "B": twice}, target="age")
    told = report_of(ALIKE, ALIKE, rename={"ward": "age"}).problems
    assert told[0].startswith("A has several columns called 'age'")


@pytest.mark.parametrize("cell", [[1], {"a": 1}, np.ones(2)])
def test_cells_of_several_values_are_refused_by_name(cell):
    alike = pd.DataFrame(ALIKE)
    nested = alike.assign(parts=pd.Series([cell] * len(alike), dtype=object))

    with pytest.raises(SourceError, match="Cells of 'parts' in B hold values of type"):
        read_sources({"A": alike, "B": nested}, target="age")


@pytest.mark.parametrize("labels", [[2**53 + 1, 2**53 + 2], [1e308, -1e308]])
def test_numbers_of_classes_that_floats_would_mix_up_are_refused(labels):
    table = pd.DataFrame({"age": range(6), "ill": labels * 3})

    with pytest.raises(SourceError, match="too large for a class label"):
        read_sources({"A": table, "B": table}, target="ill")
