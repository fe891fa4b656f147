"""One file of the user's, read as a data frame."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import warnings
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw

from sktandem._extras import require
from sktandem._telling import did_you_mean
from sktandem.data._tables import is_frame, is_pandas, pandas_for
from sktandem.exceptions import SourceError
from sktandem.files._reading import TABS, Problem, Reading

__all__ = ["counts_rows", "holds_codes", "read_file", "text_columns"]

SEPARATORS = {",": "','", ";": "';'", "\t": "tab", "|": "'|'"}
PARQUET, SHEETS = (".parquet", ".pq"), (".xlsx", ".xlsm")
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
FEWEST_TO_COUNT = 20


def read_file(
    file: Any, source: str | None, reading: Reading, notes: list[str], bad: list[str]
) -> tuple[Any, bool]:
    """Return a file, or a data frame, as a pandas data frame of its own.

    Beside it, whether it writes decimals with a comma. What is wrong and can be
    passed over for now, to find the rest, goes to `bad`.
    """
    if is_frame(file):
        if not is_pandas(file):
            columns = nw.from_native(file).iter_columns()
            file = pandas_for("files").DataFrame({c.name: c.to_list() for c in columns})
        frame = file.copy(deep=False).reset_index(drop=True)
        return _flat(frame, str(source)), False
    path, commas = Path(file), False
    if path.is_dir():
        raise SourceError(f"{path} is a folder. Name the files in it.")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        near = did_you_mean(path.name, [p.name for p in path.parent.glob("*.*")])
        raise SourceError(f"There is no file {path}.{near}") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from None
    if path.suffix in PARQUET:
        frame = _read_parquet(path)
    elif path.suffix in SHEETS:
        frame = _read_sheet(path, notes)
    else:
        text = _decoded(content, path.name, source, reading, bad)
        frame, commas = _read_csv(text, path, source, reading, notes)
    frame = _flat(frame, path.name)
    if len(frame) == 0:
        raise SourceError(f"{path.name} has a header and no rows below it.")
    return _without_counter(frame, path.name, notes), commas


def _flat(frame: Any, name: str) -> Any:
    """Return a table of single values; refuse one with lists or dicts in its cells."""
    known = set(text_columns(frame))
    for column, cells in frame.items():
        kinds = cells.map(type).unique() if column in known else ()
        nested = next((kind for kind in kinds if kind.__hash__ is None), None)
        if nested is not None:
            raise SourceError(
                f"Cells of {column!r} in {name} hold values of type {nested.__name__}. "
                "A cell holds one value: make columns of its parts."
            )
    return frame


def _read_parquet(path: Path) -> Any:
    pd = pandas_for(path.name)
    require(path.name, "pyarrow")
    try:
        return pd.read_parquet(path).reset_index(drop=True)
    except (ValueError, OSError) as error:
        raise SourceError(f"{path.name} is not a parquet file: {error}") from None


def _read_sheet(path: Path, notes: list[str]) -> Any:
    pd = pandas_for(path.name)
    require(path.name, "openpyxl")
    try:
        sheets = pd.read_excel(path, sheet_name=None, dtype=object)
    except Exception as error:  # of a zip file that is something else
        raise SourceError(f"{path.name} is not an Excel file: {error}") from None
    (name, frame), *others = sheets.items()
    if others:
        notes.append(f"Of the {len(sheets)} sheets of {path.name} {name!r} is read.")
    frame = frame.infer_objects()
    for column in text_columns(frame):  # cells of text, some of which hold numbers
        cells = frame[column]
        numbers = pd.to_numeric(cells, errors="coerce")
        if numbers.notna().equals(cells.notna()) and not holds_codes(cells):
            frame[column] = numbers
    return frame.rename(columns=lambda column: str(column).strip())


def _decoded(
    content: bytes, name: str, source: str | None, reading: Reading, bad: list[str]
) -> str:
    """Return the text of a file; where it cannot be read, say so and read on."""
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(
                f"{name} is a gzip file that is cut short or damaged: {error}. Copy it "
                "again from where it came."
            ) from None
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise SourceError(
            f"{name} looks like a spreadsheet or an archive. Save it as CSV or .xlsx."
        )
    encoding = _encoding(content, reading.of("encoding", source), reading)
    if encoding != "utf-16" and content.startswith((b"\xff\xfe", b"\xfe\xff")):
        told = f"{name} is not UTF-8. Try {reading.option('encoding', 'utf-16')}."
        bad.append(Problem.settled_by("encoding", "utf-16", told=told))
        encoding = "utf-16"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        told = (
            f"{name} is not {encoding.removesuffix('-sig').upper()}: line {line} holds "
            f"the byte 0x{content[error.start]:02x}. Try "
            f"{reading.option('encoding', 'latin-1')}, which older programs write."
        )
        bad.append(Problem.settled_by("encoding", "latin-1", told=told))
        text = content.decode("latin-1")
    except UnicodeError as error:
        raise SourceError(f"{name} is not {encoding.upper()}: {error}.") from None
    if not text.strip():
        raise SourceError(f"{name} is empty.")
    if "\0" in text:
        raise SourceError(f"{name} is not a text file. Save it as CSV first.")
    return text


def _encoding(content: bytes, wanted: str | None, reading: Reading) -> str:
    """Return the encoding of a file, UTF-8 where it can be.

    Of two files one may be older: read as latin-1, the characters of the other
    would turn into signs without an error.
    """
    if wanted is None:
        return "utf-8-sig"
    try:
        wanted = codecs.lookup(wanted).name
    except (LookupError, TypeError):
        raise SourceError(
            f"{reading.option('encoding', wanted)} is not known. Try utf-8, latin-1 or "
            "utf-16."
        ) from None
    try:
        return wanted if "\0" in content.decode() else "utf-8-sig"
    except UnicodeDecodeError:
        return wanted


def _read_csv(
    text: str, path: Path, source: str | None, reading: Reading, notes: list[str]
) -> tuple[Any, bool]:
    text, decimal = text.lstrip("\r\n"), reading.of("decimal", source)
    wanted = reading.of("separator", source)
    wanted = TABS.get(wanted, wanted)
    separator = _separator(text.splitlines()[0], path.name, wanted, reading, notes)
    frame = _parsed(text, path.name, separator, decimal or ".")
    if decimal is None and separator != "," and _has_commas(frame):
        notes.append(f"{path.name} writes decimals with a comma.")
        decimal = ","
        frame = _parsed(text, path.name, separator, decimal)
    return frame, decimal == ","


def _separator(
    header: str, name: str, wanted: str | None, reading: Reading, notes: list[str]
) -> str:
    """Return what separates the columns, judged by the header alone."""
    width = {sign: len(_cells(header, sign)) for sign in SEPARATORS}
    likely = max(width, key=lambda sign: width[sign])  # of equals the comma
    chosen = likely if wanted is None else wanted
    columns = [cell for cell in _cells(header, chosen) if cell]
    if len(columns) < 2:
        shown = header if len(header) <= 60 else f"{header[:60]}..."
        head = f"{name} has a single column, {shown!r}"
        if likely == chosen:
            raise SourceError(
                f"{head}. A target and a column to predict it from are needed; if "
                f"there are more, {reading.option('separator', ';')} or another "
                "character says what separates them."
            )
        sign = "tab" if likely == "\t" else likely
        raise SourceError(
            f"{head}, if separated by {chosen!r}. It looks separated by "
            f"{SEPARATORS[likely]}: try {reading.option('separator', sign)}"
        )
    twice = [column for column, times in Counter(columns).items() if times > 1]
    if twice:
        raise SourceError(f"{name} has the columns {twice} more than once.")
    if chosen != "," and wanted is None:
        notes.append(f"{name} is separated by {SEPARATORS[likely]}.")
    return chosen


def _cells(header: str, separator: str) -> list[str]:
    cells = next(csv.reader([header], delimiter=separator, skipinitialspace=True))
    return [cell.strip() for cell in cells]


def _parsed(text: str, name: str, separator: str, decimal: str) -> Any:
    pd = pandas_for(name)

    def columns(**which: Any) -> Any:
        return pd.read_csv(
            io.StringIO(text),
            sep=separator,
            decimal=decimal,
            skipinitialspace=True,
            index_col=False,
            low_memory=False,
            **which,
        )

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = columns()
    except pd.errors.ParserWarning:
        raise SourceError(
            f"{name} has rows with more cells than its header names. Is "
            f"{separator!r} what separates its columns?"
        ) from None
    except (pd.errors.ParserError, ValueError) as error:
        said = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise SourceError(
            f"{name} cannot be read as columns separated by {separator!r}: {said}."
        ) from None
    # As a number 01067 is 1067, another postal code. A second look is worth its
    # time only where a cell begins with a zero before another digit.
    if re.search(rf'(?:^|[\s"{re.escape(separator)}])0\d', text):
        numeric = [c for c in frame if c not in text_columns(frame)]
        for column, cells in columns(usecols=numeric, dtype=str).items():
            if holds_codes(cells):
                frame[column] = cells.str.strip()
    return frame.rename(columns=lambda column: str(column).strip())


def holds_codes(values: Any) -> bool:
    """Tell integers of which some have leading zeros: codes, not numbers."""
    strings = values.dropna().astype(str).str.strip().drop_duplicates()
    leading = strings.str.match(r"0\d").any()
    return bool(leading and strings.str.fullmatch(r"[-+]?\d+").all())


def _has_commas(frame: Any) -> bool:
    for column in text_columns(frame):
        values = frame[column].dropna().astype(str)
        if len(values) and values.map(DECIMAL_COMMA.fullmatch).notna().all():
            return True
    return False


def text_columns(frame: Any) -> list[Any]:
    """Return the columns that are neither numbers, nor booleans, nor dates."""
    types = pandas_for("reading files").api.types
    return [
        column
        for column, dtype in frame.dtypes.items()
        if not types.is_numeric_dtype(dtype) and dtype.kind not in "mM"
    ]


def _without_counter(frame: Any, name: str, notes: list[str]) -> Any:
    """Leave out columns without a name that count the rows or hold nothing."""
    for column in [c for c in frame if str(c).startswith("Unnamed: ")]:
        values = frame[column]
        if values.isna().all():
            frame = frame.drop(columns=column)
        elif counts_rows(values):
            frame = frame.drop(columns=column)
            notes.append(f"A column of {name} without a name counts its rows: ignored.")
    return frame


def counts_rows(values: Any) -> bool:
    """Tell a column that counts the rows of its file."""
    if getattr(values.dtype, "kind", "O") not in "iu" or len(values) < FEWEST_TO_COUNT:
        return False
    return bool((values.diff().iloc[1:] == 1).all())
