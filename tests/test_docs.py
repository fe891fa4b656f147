"""What help() shows: whole docstrings, with what is shared filled in."""

import importlib
import inspect
import re

import pytest

ROOMS = ["", ".datasets", ".files", ".inspection", ".members", ".merge"]
ROOMS += [".model_selection"]
ROOMS += [".nn", ".schedules", ".shift", ".tandem", ".text"]
MARK = re.compile(r"\{\w+\}$", re.MULTILINE)


def public_things():
    for room in ROOMS:
        try:
            module = importlib.import_module(f"sktandem{room}")
        except ImportError:  # of what is not installed
            continue
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing):
                yield from (
                    pytest.param(value, id=f"{name}.{key}")
                    for key, value in inspect.getmembers(thing)
                    if not key.startswith("_") and callable(value)
                    if str(getattr(value, "__module__", "")).startswith("sktandem")
                )
            if callable(thing):
                yield pytest.param(thing, id=name)


@pytest.mark.parametrize("thing", list(public_things()))
def test_no_docstring_has_an_unfilled_mark(thing):
    assert inspect.getdoc(thing)
    assert not MARK.search(inspect.getdoc(thing))
