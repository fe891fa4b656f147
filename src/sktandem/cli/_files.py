"""One file of the user's, read as a data frame."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sktandem._telling import did_you_mean
from sktandem.data._tables import pandas_for
from sktandem.exceptions import SourceError

__all__ = ["Reading", "counts_rows", "read_file", "text_columns"]

SEPARATORS = {",": "','", ";": "';'", "\t": "tab", "|": "'|'"}
PARQUET = (".parquet", ".pq")
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
FEWEST_TO_COUNT = 20


@dataclass(frozen=True)
class Reading:
    """How files are to be read, and what their columns are for.

    Attributes
    ----------
    target : str
        The column to predict.

    groups, ignored : tuple of str
        The columns that identify groups, and those to leave out.

    task : {"auto", "classification", "regression"}
        What the target is. "auto": strings, yes and no, and numbers of two values
        are classes, all other numbers a quantity.

    join : {"exact", "inner", "outer"}
        Which columns to keep, as in :func:`~sktandem.stack_sources`.

    separator, decimal : str or None
        What separates columns, and integers from their fractions; None means
        what the file itself suggests.

    encoding : str or None
        The encoding of files that are not UTF-8.

    missing : tuple of str
        What stands for a missing value besides an empty cell, "NA" and the like.

    drop_duplicates : bool
        Whether to leave out rows that repeat another of their file throughout.
    """

    target: str
    groups: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    task: str = "auto"
    join: Literal["exact", "inner", "outer"] = "exact"
    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] = ()
    drop_duplicates: bool = False


def read_file(path: Path, reading: Reading, notes: list[str]) -> Any:
    """Return a file as a data frame."""
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
    else:
        frame = _read_csv(_decoded(content, path.name, reading), path, reading, notes)
    if len(frame) == 0:
        raise SourceError(f"{path.name} has a header and no rows below it.")
    return _without_counter(frame, path.name, notes)


def _read_parquet(path: Path) -> Any:
    pd = pandas_for(path.name)
    try:
        return pd.read_parquet(path).reset_index(drop=True)
    except ImportError:
        raise SourceError(
            f"{path.name} needs pyarrow. Install it with: pip install pyarrow"
        ) from None
    except (ValueError, OSError) as error:
        raise SourceError(f"{path.name} is no parquet file: {error}") from None


def _decoded(content: bytes, name: str, reading: Reading) -> str:
    """Return the text of a file, or say where it cannot be read."""
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(
                f"{name} is a gzip file that is cut short or damaged: {error}. Copy it "
                "anew from where it came."
            ) from None
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise SourceError(
            f"{name} looks like a spreadsheet or an archive. Save it as CSV first."
        )
    encoding = _encoding(content, reading.encoding)
    if encoding != "utf-16" and content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(f"{name} is not UTF-8. Try --encoding utf-16.")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"{name} is not {encoding.removesuffix('-sig').upper()}: byte 0x"
            f"{content[error.start]:02x} in line {line} is no letter there. Try "
            "--encoding latin-1, which older programs write."
        ) from None
    except UnicodeError as error:
        raise SourceError(f"{name} is not {encoding.upper()}: {error}.") from None
    if not text.strip():
        raise SourceError(f"{name} is empty.")
    if "\0" in text:
        raise SourceError(f"{name} is not a text file. Save it as CSV first.")
    return text


def _encoding(content: bytes, wanted: str | None) -> str:
    """Return the encoding of a file, UTF-8 where it can be.

    Of two files one may be older: read as latin-1, the characters of the other
    would turn into signs without an error.
    """
    if wanted is None:
        return "utf-8-sig"
    try:
        wanted = codecs.lookup(wanted).name
    except LookupError:
        raise SourceError(
            f"--encoding {wanted} is not known. Try utf-8, latin-1 or utf-16."
        ) from None
    try:
        return wanted if "\0" in content.decode() else "utf-8-sig"
    except UnicodeDecodeError:
        return wanted


def _read_csv(text: str, path: Path, reading: Reading, notes: list[str]) -> Any:
    text = text.lstrip("\r\n")
    separator = _separator(text.splitlines()[0], path.name, reading, notes)
    frame = _parsed(text, path.name, separator, reading.decimal or ".", reading)
    if reading.decimal is None and separator != "," and _has_commas(frame):
        notes.append(f"{path.name} writes decimals with a comma.")
        frame = _parsed(text, path.name, separator, ",", reading)
    return frame


def _separator(header: str, name: str, reading: Reading, notes: list[str]) -> str:
    """Return what parts the columns, judged by the header alone."""
    width = {sign: len(_cells(header, sign)) for sign in SEPARATORS}
    likely = max(width, key=lambda sign: width[sign])  # of equals the comma
    chosen = likely if reading.separator is None else reading.separator
    columns = [cell for cell in _cells(header, chosen) if cell]
    if len(columns) < 2:
        told = header if len(header) <= 60 else f"{header[:60]}..."
        head = f"{name} has a single column, {told!r}"
        if likely == chosen:
            raise SourceError(
                f"{head}. A target and a column to predict it from are needed; if "
                "there are more, --separator tells what parts them."
            )
        raise SourceError(
            f"{head}, if separated by {chosen!r}. It looks separated by "
            f"{SEPARATORS[likely]}: try --separator {SEPARATORS[likely]}"
        )
    twice = list(dict.fromkeys(c for c in columns if columns.count(c) > 1))
    if twice:
        raise SourceError(f"{name} has the columns {twice} more than once.")
    if chosen != "," and reading.separator is None:
        notes.append(f"{name} is separated by {SEPARATORS[likely]}.")
    return chosen


def _cells(header: str, separator: str) -> list[str]:
    cells = next(csv.reader([header], delimiter=separator, skipinitialspace=True))
    return [cell.strip() for cell in cells]


def _parsed(text: str, name: str, separator: str, decimal: str, how: Reading) -> Any:
    pd = pandas_for(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                decimal=decimal,
                na_values=list(how.missing),
                skipinitialspace=True,
                index_col=False,
                low_memory=False,
            )
    except pd.errors.ParserWarning:
        raise SourceError(
            f"{name} has rows with more cells than its header names. Is "
            f"{separator!r} what separates its columns?"
        ) from None
    except (pd.errors.ParserError, ValueError) as error:
        told = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise SourceError(
            f"{name} cannot be read as columns separated by {separator!r}: {told}."
        ) from None
    return frame.rename(columns=lambda column: str(column).strip())


def text_columns(frame: Any) -> list[Any]:
    pd = pandas_for("reading files")
    is_number = pd.api.types.is_numeric_dtype
    return [c for c in frame if not is_number(frame[c].dtype)]


def _has_commas(frame: Any) -> bool:
    for column in text_columns(frame):
        values = frame[column].dropna().astype(str)
        if len(values) and values.map(DECIMAL_COMMA.fullmatch).notna().all():
            return True
    return False


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
    if getattr(values.dtype, "kind", "O") not in "iu" or len(values) < FEWEST_TO_COUNT:
        return False
    return bool((values.diff().iloc[1:] == 1).all())
