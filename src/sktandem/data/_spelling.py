"""Strings that mean the same: case, blanks and accents folded; yes and no."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from typing import Any

__all__ = ["FOLDS", "as_answers", "fold", "plain"]

FOLDS = ("blanks", "case", "accents")
YES = {"yes", "y", "true", "t", "ja", "j", "oui", "si", "sim", "1"}
UMLAUTS = str.maketrans({sign: f"{own}e" for sign, own in zip("äöüøæ", "aouoa")})
NO = {"no", "n", "false", "f", "nein", "non", "nao", "0"}


def fold(text: str, ways: Collection[str] = FOLDS) -> str:
    """Return the key that all spellings of a string share."""
    if "blanks" in ways:
        text = " ".join(unicodedata.normalize("NFC", text).split())
    if "case" in ways:
        text = text.casefold()
    if "accents" in ways:
        parts = unicodedata.normalize("NFKD", text)
        text = "".join(sign for sign in parts if not unicodedata.combining(sign))
    return text


def plain(text: str) -> str:
    """Return the letters and digits of a string alone, ä and ae alike."""
    text = fold(text, ("blanks", "case")).translate(UMLAUTS)
    return "".join(filter(str.isalnum, fold(text)))


def as_answers(values: Iterable[Any]) -> dict[Any, int] | None:
    """Return 1 for each spelling of yes and 0 for each of no; None of other values."""
    keys = {
        value: fold(f"{value:g}" if isinstance(value, float) else str(value))
        for value in values
    }
    if not keys or not set(keys.values()) <= YES | NO:
        return None
    return {value: int(key in YES) for value, key in keys.items()}
