"""How files are to be read: the settings, and how each is spelt in a message."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sktandem._settings import check_choice, check_switch
from sktandem.data._join import JOINS
from sktandem.data._spelling import FOLDS
from sktandem.exceptions import SourceError

__all__ = ["SAFE", "Problem", "Reading", "check_reading", "parse_conversion"]

TABS = {"tab": "\t", "\\t": "\t"}  # as a separator is written
SAFE = ("blanks", "case", "dates", "decimals")
WAYS = tuple(dict.fromkeys((*FOLDS, *SAFE, "thousands", "zeros")))
LISTS = ("missing", "ignore", "groups", "convert", "clean")
TASKS = ("auto", "classification", "regression")
CONVERSION = re.compile(
    r"(?P<source>[^:]+):(?P<column>.+)\*(?P<factor>[\d.]+)(?P<offset>[-+][\d.]+)?"
)


class Problem(str):
    """What is wrong, and the one setting that settles it, where there is one."""

    setting: str = ""
    values: tuple[Any, ...] = ()

    @classmethod
    def settled_by(cls, setting: str, *values: Any, told: str) -> Problem:
        """Return a problem with the setting that the user is told."""
        problem = cls(told)
        problem.setting, problem.values = setting, values
        return problem


@dataclass(frozen=True)
class Reading:
    """How files are to be read, and what their columns are for.

    Attributes are the parameters of :func:`~sktandem.read_sources`, except for these.

    Attributes
    ----------
    fewest : int
        The least number of rows of a file.

    typed : bool
        Whether settings are options of the command line, for messages.

    when : str
        What follows a setting in messages, such as " in fit" when the next file is
        read.
    """

    target: str
    source: str | None = None
    groups: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    task: str = "auto"
    join: Literal["exact", "inner", "outer"] = "exact"
    separator: Any = None
    decimal: Any = None
    encoding: Any = None
    date_order: Any = None
    missing: tuple[Any, ...] = ()
    map: Mapping[Any, Any] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    convert: tuple[str, ...] = ()
    clean: tuple[str, ...] = ()
    drop_duplicates: bool = False
    fewest: int = 1
    typed: bool = False
    when: str = ""

    def of(self, setting: str, name: Any) -> Any:
        """Return a setting as it is for one source."""
        value = getattr(self, setting)
        return value.get(name) if isinstance(value, Mapping) else value

    def option(self, setting: str, *values: Any) -> str:
        """Spell a setting with its values as its user writes it."""
        name = self.spelt(setting)
        if self.typed:
            pairs = [f"{v[0]}={v[1]}" if isinstance(v, tuple) else v for v in values]
            return " ".join([name, *(_quoted(value) for value in pairs)]) + self.when
        given: Any = values[0] if values else True
        if setting in ("map", "rename"):
            given = dict(values)
        elif setting in LISTS and (setting != "clean" or len(values) > 1):
            given = list(values)
        return f"{name}={given!r}{self.when}"

    def spelt(self, setting: str) -> str:
        """Spell the name of a setting: an option of the command line or a parameter."""
        return f"--{setting.replace('_', '-')}" if self.typed else setting


def _quoted(value: Any) -> str:
    text = str(value)
    return text if shlex.quote(text) == text else f"'{text}'"


def check_reading(reading: Reading) -> None:
    """Refuse settings that make no sense whatever the files."""
    check_choice(reading.spelt("task"), reading.task, TASKS)
    check_choice(reading.spelt("join"), reading.join, JOINS)
    for way in reading.clean:
        check_choice(reading.spelt("clean"), way, WAYS, ", or 'safe'")
    orders = reading.date_order
    for order in orders.values() if isinstance(orders, Mapping) else [orders]:
        check_choice(reading.spelt("date_order"), order, ("day", "month", None))
    check_switch(reading.spelt("drop_duplicates"), reading.drop_duplicates)
    if not isinstance(reading.target, str):
        raise SourceError(f"target must name a column, got {reading.target!r}.")
    for setting, words in (("separator", TABS), ("decimal", {})):
        given = getattr(reading, setting)
        for sign in given.values() if isinstance(given, Mapping) else [given]:
            if sign is None or (
                isinstance(sign, str) and (len(sign) == 1 or sign in words)
            ):
                continue
            among = " or tab" if words else ""
            raise SourceError(
                f"{reading.option(setting, sign)} must be a single character{among}."
            )
    for conversion in reading.convert:
        parse_conversion(conversion, reading.spelt("convert"))


def parse_conversion(
    written: str, setting: str = "convert"
) -> tuple[str, str, float, float]:
    """Return source, column, factor and offset of a conversion such as "A:t*1.8+32"."""
    try:
        found = CONVERSION.fullmatch(written)
        assert found is not None
        numbers = float(found["factor"]), float(found["offset"] or 0)
    except (AssertionError, TypeError, ValueError):
        raise SourceError(
            f"{setting} must be SOURCE:COLUMN*FACTOR or SOURCE:COLUMN*FACTOR+OFFSET, "
            f"got {written!r}. Write for instance 'A:height*2.54' or 'B:temp*1.8+32'."
        ) from None
    return found["source"], found["column"], *numbers
