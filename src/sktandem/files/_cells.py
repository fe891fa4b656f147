"""The cells of one table as they are meant: codes, words, numbers and dates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sktandem.data._spelling import fold
from sktandem.data._tables import pandas_for
from sktandem.exceptions import SourceError
from sktandem.files._file import DECIMAL_COMMA, holds_codes, text_columns
from sktandem.files._reading import Reading, parse_conversion

__all__ = [
    "MIXED",
    "UNCLEAR",
    "as_dates",
    "as_numbers",
    "as_strings",
    "as_thousands",
    "code_lengths",
    "date_format",
    "is_format",
    "learn_spellings",
    "no_dates",
    "settled",
    "spelt",
    "with_meaning",
    "written",
]

CELL = ("blanks", "case")  # what does not matter where a cell is named
UNCLEAR = "day or month first"
MIXED = "several ways of writing"
# Of '16,500' alone nobody knows whether 16500 or 16.5 is meant.
GROUPED = re.compile(r"[-+]?(\d+|[1-9]\d{0,2}(,\d{3})+)(\.\d+)?")
MOST_SPELT = 200  # different strings of a column whose spelling is learned
CLOCK = (
    r"(?P<clock>(?P<gap>[T ])\d{1,2}:\d{2}(?P<s>:\d{2}(?P<f>\.\d{1,6})?)?(?P<z>Z)?)?"
)
DATE = re.compile(
    r"(?P<a>\d{4}|\d{1,2})(?P<sign>[-./])(?P<b>\d{1,2})(?P=sign)(?P<c>\d{4}|\d{1,2})"
    + CLOCK
)
# 16 Feb 2024, 16-FEB-24 and 16FEB2024; Feb 16, 2024; 2024-Feb-16.
DAY, NAME, YEAR = r"(?P<d>\d{1,2})\.?", r"(?P<m>[^\W\d_]{3,})\.?", r"(?P<y>\d{4}|\d\d)"
NAMED = [
    re.compile(date + CLOCK)
    for date in (
        rf"{DAY}[-/. ]*{NAME}[-/. ,]*{YEAR}",
        rf"{NAME}[-/. ]*{DAY}[-/ ,]+{YEAR}",
        rf"(?P<y>\d{{4}})[-/. ]?{NAME}[-/. ]?{DAY}",
    )
]
MONTHS = (
    "january januar janvier enero", "february februar fevrier febrero",
    "march marz mrz mars marzo", "april avril abril", "may mai mayo",
    "june juni juin junio", "july juli juillet julio", "august aout agosto",
    "september septembre septiembre", "october oktober octobre octubre",
    "november novembre noviembre", "december dezember decembre diciembre",
)  # fmt: skip
MONTH = {
    name[:end]: number
    for number, names in enumerate(MONTHS, start=1)
    for name in names.split()
    for end in range(3, len(name) + 1)
    if name[:end] != "jui"  # juin or juillet
}


def with_meaning(frame: Any, name: str, reading: Reading, *, commas: bool) -> Any:
    """Return a table as its user says it is meant: codes, words, names and units."""
    frame = frame.rename(columns=dict(reading.rename))
    again = frame.columns[frame.columns.duplicated()]
    if len(again):
        raise SourceError(
            f"{name} has several columns called {again[0]!r}. Give each a name of its "
            "own."
        )
    codes = dict.fromkeys(reading.missing)
    touched = _replaced(frame, codes) | _replaced(frame, reading.map)
    for column in touched & set(text_columns(frame)):
        numbers = None
        if not holds_codes(frame[column]):
            numbers = as_numbers(frame[column], commas=commas)
        frame[column] = frame[column].infer_objects() if numbers is None else numbers
    for source, column, factor, offset in map(parse_conversion, reading.convert):
        if source != name or column not in frame:
            continue
        values = frame[column]
        if column in text_columns(frame):
            values = as_numbers(values, commas=commas)
        if values is None or values.dtype.kind in "mM":
            continue  # refused later, together with all other problems
        frame[column] = values * factor + offset
    return frame


def _replaced(frame: Any, changes: Mapping[Any, Any]) -> set[Any]:
    """Replace cells in place; return the columns in which any was.

    A cell is named by its value, or by column and value: "age:-9".
    """
    if not changes:
        return set()
    touched = set()
    for column in frame:
        own = {}
        for cell, new in changes.items():
            place, colon, value = str(cell).partition(":")
            if colon and place in frame:
                if place == column:
                    own[fold(value, CELL)] = new
            else:
                own[fold(str(cell), CELL)] = new
        different = frame[column].dropna().unique()
        known = {value: _key(value) for value in different}
        new = {value: own[key] for value, key in known.items() if key in own}
        hit = frame[column].isin(list(new))
        if hit.any():
            values = frame[column].astype(object)
            values = values.mask(hit, values.map(new.get))
            numeric = column not in text_columns(frame)
            frame[column] = values.infer_objects() if numeric else values
            touched.add(column)
    return touched


def _key(value: Any) -> str:
    return fold(written(value), CELL)


def written(value: Any) -> str:
    """Return a value as it is written in a file, integers without a fraction."""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def as_strings(values: Any) -> Any:
    """Return a column of categories as strings, NaN where missing, of any dtype."""
    present = values.dropna().map(written).astype(object)
    return present.reindex(values.index).astype(object)


def code_lengths(frames: Iterable[Any]) -> dict[Any, int]:
    """Return the columns that hold codes in some table, with the length of the codes.

    0 stands for codes of several lengths.
    """
    lengths: dict[Any, set[int]] = {}
    for frame in frames:
        for column in text_columns(frame):
            if holds_codes(frame[column]):
                strings = frame[column].dropna().astype(str).str.strip()
                found = strings[strings.str.isdigit()].str.len()
                lengths.setdefault(column, set()).update(found.tolist())
    return {c: own.pop() if len(own) == 1 else 0 for c, own in lengths.items()}


def _as_codes(values: Any, length: int) -> Any:
    """Return integers as strings, filled up to a length; other numbers as they are."""
    strings = as_strings(values)
    if any("." in v for v in strings.dropna()) and not text_columns(values.to_frame()):
        return values
    return strings.map(
        lambda v: v.zfill(length) if v.isdigit() else v, na_action="ignore"
    )


def as_numbers(values: Any, *, commas: bool) -> Any:
    """Return strings that are all numbers as numbers, else None."""
    pd = pandas_for("reading files")
    present = values.dropna().astype(str).str.strip()
    if commas:
        swap = present.map(DECIMAL_COMMA.fullmatch).notna()
        present = present.mask(swap, present.str.replace(",", "."))
    numbers = pd.to_numeric(present, errors="coerce")
    if len(numbers) == 0 or numbers.isna().any():
        return None
    return numbers.reindex(values.index)


def as_thousands(values: Any) -> Any:
    """Return strings whose commas may all separate thousands as numbers, else None."""
    present = values.dropna().astype(str).str.strip()
    grouped = present.map(GROUPED.fullmatch).notna().all()
    if not (grouped and present.str.contains(",").any()):
        return None
    return present.str.replace(",", "").astype(float).reindex(values.index)


def date_format(strings: Iterable[str], order: str | None = None) -> str | None:
    """Return the format in which all strings are dates; None if they are not.

    `UNCLEAR` where day and month could be either way round, `MIXED` where they are
    dates in more than one format.
    """
    found = []
    for string in strings:
        date = DATE.fullmatch(_in_digits(string.strip()))
        if date is None:
            return None
        found.append(date)
    shapes: set[tuple[Any, ...]] = {
        (len(m["a"]) == 4, m["sign"], len(m["c"]) == 4, m["gap"],
         *(bool(m[part]) for part in "sfz"))
        for m in found
    }  # fmt: skip
    if len(shapes) != 1:
        return MIXED if shapes else None
    ((year_first, sign, long, gap, seconds, fraction, utc),) = shapes
    if year_first and not long:
        day = ["%Y", "%m", "%d"]
    elif year_first:
        return None
    else:
        above = [any(int(m[part]) > 12 for m in found) for part in "ab"]
        if all(above):
            return None
        first = "day" if above[0] else "month" if above[1] else order
        if first is None and sign != ".":
            return UNCLEAR
        day = ["%m", "%d"] if first == "month" else ["%d", "%m"]
        day.append("%Y" if long else "%y")
    more = ":%S" * seconds + ".%f" * fraction + "Z" * utc
    return f"{sign.join(day)}{gap}%H:%M{more}" if gap else f"{sign.join(day)}"


def is_format(how: str | None) -> bool:
    """Tell whether dates can be read by what `date_format` returned."""
    return how is not None and "%" in how


def _in_digits(string: str) -> str:
    """Return a date with the name of a month as year-month-day."""
    for named in NAMED:
        date = named.fullmatch(string)
        month = MONTH.get(fold(date["m"], ("case", "accents"))) if date else None
        if date is None or month is None:
            continue
        year = int(date["y"])
        if len(date["y"]) == 2:  # as strptime has it
            year += 1900 if year >= 69 else 2000
        return f"{year}-{month:02}-{int(date['d']):02}{date['clock'] or ''}"
    return string


def as_dates(values: Any, how: str) -> Any:
    """Return strings as moments; None if one of them is none."""
    moments = _moments(values, how)
    return None if (moments.isna() & values.notna()).any() else moments


def no_dates(values: Any, how: str) -> Any:
    """Tell which strings are not dates of a format, such as 31.02.2024."""
    return _moments(values, how).isna()


def _moments(values: Any, how: str) -> Any:
    digits = values.str.strip().map(_in_digits, na_action="ignore")
    return pandas_for("reading files").to_datetime(digits, format=how, errors="coerce")


def learn_spellings(
    frames: Iterable[Any], columns: Iterable[Any], ways: Collection[str]
) -> dict[Any, dict[str, str]]:
    """Return the most common spelling of each string of each column, by its key."""
    counts: dict[Any, Counter[str]] = {column: Counter() for column in columns}
    for frame in frames:
        for column in set(text_columns(frame)) & set(counts):
            strings = (v for v in frame[column].dropna() if isinstance(v, str))
            # Blanks first: they do not make a spelling rare.
            plain = (fold(v, set(ways) & {"blanks"}) for v in strings)
            counts[column].update(plain)
    learned: dict[Any, dict[str, str]] = {}
    for column, count in counts.items():
        own: dict[str, str] = {}
        for string, _ in count.most_common():  # the first one is kept
            own.setdefault(fold(string, ways), string)
        if 0 < len(own) <= MOST_SPELT:
            learned[column] = own
    return learned


def spelt(values: Any, own: Mapping[str, str], ways: Collection[str]) -> Any:
    """Return strings in the spelling that was learned."""

    def one(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return own.get(fold(value, ways), value.strip() if "blanks" in ways else value)

    return values.map(one, na_action="ignore")


def settled(
    frame: Any,
    reading: Reading,
    dates: Mapping[Any, str],
    spellings: Mapping[Any, Mapping[str, str]],
    codes: Mapping[Any, int],
) -> Any:
    """Return a table with the differences settled that `clean` names."""
    for column in codes.keys() & set(frame):
        length = codes[column] if "zeros" in reading.clean else 0
        frame[column] = _as_codes(frame[column], length)
    for column in text_columns(frame):
        values = frame[column]
        if column in dates and "dates" in reading.clean:
            moments = as_dates(values.astype(object), dates[column])
            if moments is not None:
                frame[column] = moments
                continue
        numbers = as_thousands(values)
        if numbers is not None and "thousands" not in reading.clean:
            continue
        if "decimals" in reading.clean and column not in codes and numbers is None:
            numbers = as_numbers(values, commas=True)
        if numbers is not None:
            frame[column] = numbers
        elif column in spellings:
            frame[column] = spelt(values, spellings[column], reading.clean)
    return frame
