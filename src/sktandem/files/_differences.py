"""What is the same in several tables, but written differently."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from sktandem._telling import counted
from sktandem.data._spelling import as_answers, fold, plain
from sktandem.data._tables import pandas_for
from sktandem.files._cells import (
    MIXED,
    UNCLEAR,
    as_numbers,
    as_strings,
    as_thousands,
    date_format,
    is_format,
    no_dates,
)
from sktandem.files._file import DECIMAL_COMMA, holds_codes, text_columns
from sktandem.files._twins import (
    CODES,
    Difference,
    differing_names,
    differing_units,
)

__all__ = ["find_differences"]

# Strings that stand for a missing value, with blanks and case folded.
NO_VALUE = {
    *("?", "??", "-", "--", ".", "n/a", "n.a.", "n.a", "k.a.", "k. a.", "k.a", "nd"),
    *("missing", "unknown", "not known", "n/k", "not available", "unbekannt"),
    *("keine angabe", "fehlt", "inconnu", "desconocido", "#n/a", "na", "none", "null"),
}
MOST_ODD = 5  # different strings among numbers
MOST_SHOWN = 4
MOST_WORDS = 30


def find_differences(
    frames: Mapping[Any, Any],
    *,
    apart: Collection[Any] = (),
    clean: Collection[str] = (),
    date_order: Callable[[Any], str | None] = lambda name: None,
    codes: Mapping[Any, int] | None = None,
) -> list[Difference]:
    """Return what is written differently in tables, but for the columns `apart`.

    What `clean` names counts as settled. `codes` are the columns of digits with
    leading zeros, with the length of the codes.
    """
    codes = {} if codes is None else codes
    found: list[Difference] = []
    for column in dict.fromkeys(c for frame in frames.values() for c in frame):
        own = {name: f[column] for name, f in frames.items() if column in f}
        if column in codes:
            found += _of_zeros(column, own, codes[column])
        if column in apart:
            continue
        found += _of_column(column, own, date_order)
    found += differing_names(frames, apart)
    # Dates wait for these.
    among = {d.column for d in found if d.kind in ("missing", "strings")}
    return [
        replace(d, settled=not (d.kind == "dates" and d.column in among))
        if d.kind in clean and d.setting == "clean"
        else d
        for d in found
    ]


def _of_column(
    column: Any, own: dict[Any, Any], date_order: Callable[[Any], str | None]
) -> Iterator[Difference]:
    strings, numbers, whole = {}, {}, {}
    dates: dict[Any, tuple[str, int, str]] = {}
    for name, values in own.items():
        present = values.dropna()
        if not text_columns(values.to_frame()):
            if values.dtype.kind in "iuf" and len(present):
                numbers[name] = present.astype(float).to_numpy()
            whole[name] = present
            continue
        present = present[present.map(lambda v: isinstance(v, str))]
        if len(present) == 0:
            continue
        none = present.map(_stands_for_none)
        how = date_format(present[~none].unique(), date_order(name))
        if how is not None:
            dates[name] = how, len(present), str(present[~none].iloc[0]).strip()
            odd = present[none | no_dates(present, how)] if is_format(how) else []
            if len(odd):
                yield _beside(column, name, "dates", odd)
            continue
        among = _among_numbers(column, name, present)
        yield from among
        if not among:
            strings[name] = Counter(present)
    if dates:
        yield from _of_dates(column, dates)
    if strings:
        yield from _of_codes(column, strings)
        yield from _of_spelling(column, strings)
        yield from _of_words(column, strings)
    yield from _of_answers(column, strings, whole)
    for name, values in numbers.items():
        yield from _of_number_codes(column, name, values)
    yield from differing_units(column, numbers)


# Strings


def _of_zeros(column: Any, own: dict[Any, Any], length: int) -> Iterator[Difference]:
    """Yield codes without the leading zeros that others have, such as 7 beside 007."""
    digits = {n: [v for v in as_strings(values).dropna() if v.isdigit()]
              for n, values in own.items()}  # fmt: skip
    coded = {int(v): v for found in digits.values() for v in found if v[0] == "0"}

    def is_short(code: str) -> bool:
        if length:
            return len(code) < length
        return code[0] != "0" and int(code) in coded

    short = {n: [v for v in found if is_short(v)] for n, found in digits.items()}
    short = {n: found for n, found in short.items() if found}
    if not short:
        return
    name, found = next(iter(short.items()))
    n_cells = sum(map(len, short.values()))
    wide = f", with {length} digits each" if length else " of several lengths"
    yield Difference(
        "zeros", column, tuple(short), n_cells,
        f"{column!r} holds codes with leading zeros{wide}, and {name} has "
        f"{found[0]!r}, which counts as another code ({counted(n_cells, 'cell')}).",
        *(("clean", ("zeros",)) if length else ("ignore", (column,))),
    )  # fmt: skip


def _among_numbers(column: Any, name: Any, present: Any) -> list[Difference]:
    """Return what keeps a column of strings from being numbers, if it is little."""
    if as_thousands(present) is not None:
        grouped = present[present.str.contains(",")]
        return [
            Difference(
                "thousands", column, (name,), len(grouped),
                f"{column!r} of {name} writes {grouped.iloc[0].strip()!r}: commas "
                "between thousands, it seems. If they are decimal commas, set decimal "
                "to a comma for this file.",
                "clean", ("thousands",),
            )
        ]  # fmt: skip
    if as_numbers(present, commas=True) is not None:
        with_comma = present[present.map(DECIMAL_COMMA.fullmatch).notna()]
        if len(with_comma) == 0:  # digits that are strings on purpose
            return []
        return [
            Difference(
                "decimals", column, (name,), len(present),
                f"{column!r} of {name} writes decimals with a comma, such as "
                f"{with_comma.iloc[0]!r}.",
                "clean", ("decimals",),
            )
        ]  # fmt: skip
    pd = pandas_for("reading files")
    plain = present.str.strip().str.replace(",", ".")
    odd = present[pd.to_numeric(plain, errors="coerce").isna()]
    if holds_codes(present.drop(odd.index)):  # among codes any string is one
        return []
    different = list(odd.unique())
    if len(different) > min(MOST_ODD, present.nunique() / 3):
        return []
    return [_beside(column, name, "numbers", odd)]


def _beside(column: Any, name: Any, kind: str, odd: Any) -> Difference:
    """Return what a few strings in a column of numbers or dates mean."""
    different = list(odd.unique())
    shown, cells = ", ".join(map(repr, different[:MOST_ODD])), counted(len(odd), "cell")
    told = f"{column!r} of {name} holds {kind}, and {shown} for missing in {cells}."
    known = all(map(_stands_for_none, different))
    if not known:
        told = (
            f"{column!r} of {name} holds {kind} beside {shown} in {cells}, and so "
            "counts as categories. If that means a missing value, say so."
        )
    values = tuple(v.strip() for v in different)
    return Difference(
        "missing" if known else "strings",
        column, (name,), len(odd), told, "missing", values,
    )  # fmt: skip


def _of_dates(
    column: Any, dates: dict[Any, tuple[str, int, str]]
) -> Iterator[Difference]:
    unclear, mixed = (
        [name for name, (how, *_) in dates.items() if how == what]
        for what in (UNCLEAR, MIXED)
    )
    n_cells = sum(n for _, n, _ in dates.values())
    shown = ", ".join(f"{shown!r} in {name}" for name, (_, _, shown) in dates.items())
    if unclear:
        told = f"{column!r} holds dates with {UNCLEAR}: {shown}."
        setting, values = "date_order", ("day",)
    elif mixed:
        told = (
            f"{column!r} of {', '.join(map(str, mixed))} holds dates in {MIXED} and so "
            "counts as categories. Write them alike in the file, or leave it out."
        )
        setting, values = "ignore", (column,)
    else:
        told = f"{column!r} holds dates as strings: {shown}."
        setting, values = "clean", ("dates",)
    yield Difference("dates", column, tuple(dates), n_cells, told, setting, values)


def _stands_for_none(value: str) -> bool:
    return fold(value, ("blanks", "case")) in NO_VALUE


def _of_codes(column: Any, strings: dict[Any, Counter[str]]) -> Iterator[Difference]:
    for name, counts in strings.items():
        odd = [v for v in counts if _stands_for_none(v)]
        n_cells = sum(counts.pop(v) for v in odd)
        if odd:
            yield Difference(
                "missing", column, (name,), n_cells,
                f"{', '.join(map(repr, odd))} in {column!r} of {name} looks like a "
                f"missing value ({counted(n_cells, 'cell')}).",
                "missing", tuple(f"{column}:{v.strip()}" for v in odd),
            )  # fmt: skip


def _of_spelling(column: Any, strings: dict[Any, Counter[str]]) -> Iterator[Difference]:
    """Yield what differs by blanks, then by case, then by accents, each alone."""
    every: Counter[str] = Counter()
    for counts in strings.values():
        every.update(counts)
    spellings = {string: string for string in every}
    ways: tuple[str, ...] = ()
    for way in ("blanks", "case", "accents"):
        ways = (*ways, way)
        groups: dict[str, Counter[str]] = defaultdict(Counter)
        for string, key in spellings.items():
            groups[fold(key, ways)][key] += every[string]
        best = {key: counts.most_common(1)[0][0] for key, counts in groups.items()}
        changed = {
            string: best[fold(key, ways)]
            for string, key in spellings.items()
            if best[fold(key, ways)] != key
        }
        if way == "blanks":  # a blank at the end is one even if all have it
            changed = {s: fold(s, ways) for s in every if fold(s, ways) != s}
        spellings |= changed
        if not changed:
            continue
        n_cells = sum(every[string] for string in changed)
        where = tuple(n for n, counts in strings.items() if set(changed) & set(counts))
        shown = [f"{s!r} for {new!r}" for s, new in changed.items()][:MOST_SHOWN]
        more = f" and {len(changed) - MOST_SHOWN} more" * (len(changed) > MOST_SHOWN)
        yield Difference(
            way, column, where, n_cells,
            f"{column!r} differs by {way}: {', '.join(shown)}{more} "
            f"({counted(n_cells, 'cell')}).",
            "clean", (way,),
        )  # fmt: skip


def _of_words(column: Any, strings: dict[Any, Counter[str]]) -> Iterator[Difference]:
    """Yield words that differ in hyphens or umlauts, or each abbreviate another."""
    for one, other in combinations(strings, 2):
        pairs = _same_words(strings[one], strings[other])
        if not pairs or None not in map(as_answers, (strings[one], strings[other])):
            continue
        n_cells = sum(strings[other][v] for _, v in pairs)
        shown = ", ".join(f"{v!r} for {u!r}" for u, v in pairs[:MOST_SHOWN])
        yield Difference(
            "words", column, (other,), n_cells,
            f"{column!r} of {other} seems to say {shown} of {one} "
            f"({counted(n_cells, 'cell')}).",
            "map", tuple((f"{column}:{v}", u) for u, v in pairs),
        )  # fmt: skip


def _same_words(one: Iterable[str], other: Iterable[str]) -> list[tuple[str, str]]:
    a, b = ({plain(v): v for v in own} for own in (one, other))
    alike = [(a[key], b[key]) for key in a if key in b]
    alike = [(u, v) for u, v in alike if fold(u) != fold(v)]
    if alike or set(a) & set(b) or not 2 <= len(a) == len(b) <= MOST_WORDS:
        return alike
    pairs = [(u, v) for u in a for v in b if _abbreviates(u, v)]
    # One to one: "stage I" would be short for several others.
    if not len(a) == len(pairs) == len(dict(pairs)) == len({v for _, v in pairs}):
        return []
    return [(a[u], b[v]) for u, v in pairs]


def _abbreviates(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return bool(short) and not short.isdigit() and long.startswith(short)


def _of_answers(
    column: Any, strings: dict[Any, Counter[str]], whole: dict[Any, Any]
) -> Iterator[Difference]:
    """Yield yes and no here where there are 1 and 0, or other words, there."""
    booleans = {n: v for n, v in whole.items() if v.dtype.kind == "b" and len(v)}
    words = {name: as_answers(counts) for name, counts in strings.items()}
    words |= {n: as_answers(v.astype(str).unique()) for n, v in booleans.items()}
    if not words or None in words.values():
        return
    others = [v for n, v in whole.items() if len(v) and n not in booleans]
    if not all(set(values.astype(float).unique()) <= {0, 1} for values in others
               if values.dtype.kind in "iufb"):  # fmt: skip
        return
    keys = {
        frozenset(fold(v, ("blanks", "case")) for v in w or ()) for w in words.values()
    }
    if not others and len(frozenset.union(*keys)) <= 2:
        return
    mapping = {
        word: value for own in words.values() for word, value in (own or {}).items()
    }
    shown = "; ".join(
        [f"{sorted(own or ())} in {name}" for name, own in words.items()]
        + [f"{sorted(v.unique().tolist())[:2]} in {n}" for n, v in whole.items()
           if n not in booleans]
    )  # fmt: skip
    n_cells = sum(map(Counter.total, strings.values()))
    yield Difference(
        "answers", column, tuple(words), n_cells + sum(map(len, booleans.values())),
        f"{column!r} says yes and no differently: {shown}.",
        "map", tuple((f"{column}:{word}", value) for word, value in mapping.items()),
    )  # fmt: skip


# Numbers


def _of_number_codes(column: Any, name: Any, values: Any) -> Iterator[Difference]:
    """Yield numbers far from all others that often stand for a missing value."""
    for code in (CODES | {0}) & set(values.tolist()):
        others = values[~np.isin(values, [*CODES, code])]
        n_cells = int((values == code).sum())
        if len(others) == 0 or n_cells < 2:
            continue
        low, high = others.min(), others.max()
        # A negative one among positive numbers; one far beyond the rest.
        far = max(high - low, 1)
        if (code < 0 <= low) or code > high + far or (code == 0 and low > far):
            yield Difference(
                "missing", column, (name,), n_cells,
                f"{code:g} in {column!r} of {name} looks like a missing value: the "
                f"others are {low:g} to {high:g} ({counted(n_cells, 'cell')}).",
                "missing", (f"{column}:{code:g}",),
            )  # fmt: skip
