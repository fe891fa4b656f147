"""Fingerprints of data and settings, equal only where a fit would be the same."""

from __future__ import annotations

import copyreg
import dis
import hashlib
import importlib.util
import platform
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from importlib.metadata import (
    PackageNotFoundError,
    distribution,
    packages_distributions,
    version,
)
from pathlib import Path
from types import (
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

import joblib
import numpy as np
from scipy import sparse
from sklearn import get_config

from sktandem._kept import name_of
from sktandem.data._lazy import DatasetItems, FileItems
from sktandem.data._rows import Rows
from sktandem.data._tables import from_tensor, is_tensor
from sktandem.exceptions import SourceError

__all__ = ["circumstances", "fingerprint", "fingerprint_of_rows"]

PLAIN = {type(None), bool, int, float, complex, str, bytes, type(...)}
TABLES = ("pandas", "polars", "pyarrow")
# What does not decide what a class does: where it stands, and what Python keeps of it.
# The number of its first line moves when a line is added above it.
UNREAD = {
    *("__dict__", "__weakref__", "__module__", "__doc__", "__annotations__"),
    *("__firstlineno__", "__static_attributes__", "_abc_impl"),
}
READ = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
# What the package itself calls, whatever the estimator.
LIBRARIES = (
    *("numpy", "scipy", "scikit-learn", "narwhals", "pandas", "polars", "pyarrow"),
    *("torch", "skorch", "transformers", "tokenizers"),
)


def fingerprint(what: str, value: Any) -> str:
    """Return what tells a value from all others, in this run and in the next.

    `what` is what messages call it. It is made of all that pickle would write. But
    functions and classes, which pickle writes by name, are told by the version of
    their package, and by their code where it is the user's own: a function whose body
    was changed is another one. What cannot be told is refused.
    """
    try:
        return Teller().of(value, what)
    except RecursionError as error:
        raise _refusal(what, value, error) from error


def fingerprint_of_rows(rows: Rows) -> str:
    """Return what tells rows from others, whatever was derived from them already."""
    sources = rows.sources.names, rows.sources.codes
    given = {"X": rows.X, "y": rows.y, "sample_source": sources}
    given |= {"sample_weight": rows.weights, "groups": rows.groups}
    return name_of(*(fingerprint(name, value) for name, value in given.items()))


def circumstances() -> str:
    """Return what tells the libraries that fits depend on, and how they are set."""
    torch = sys.modules.get("torch")
    single = "torch.float32" if torch is None else str(torch.get_default_dtype())
    return name_of(*_versions(), repr(sorted(get_config().items())), single)


@cache
def _versions() -> tuple[str, ...]:
    found = [platform.python_version(), _own_code()]
    for name in LIBRARIES:
        try:
            found.append(version(name))
        except PackageNotFoundError:
            found.append("")
    return tuple(found)


class Teller:
    """Walks through a value and all that it holds."""

    def __init__(self) -> None:
        # What is being told, for values that hold themselves, and what was, by id.
        self.open: dict[int, int] = {}
        self.done: dict[int, tuple[Any, str]] = {}

    def of(self, value: Any, where: str) -> str:
        """Return the fingerprint of a value; `where` is its place in the whole."""
        if type(value) in PLAIN:
            return _hashed(type(value).__name__, repr(value))
        if id(value) in self.open:
            return _hashed("again", str(self.open[id(value)]))
        if id(value) not in self.done:
            self.open[id(value)] = len(self.open)
            try:
                # Kept, or its id could be that of another.
                self.done[id(value)] = value, self._of(value, where)
            finally:
                del self.open[id(value)]
        return self.done[id(value)][1]

    def _of(self, value: Any, where: str) -> str:
        kind = type(value)
        if kind in (list, tuple):
            if set(map(type, value)) <= PLAIN:  # such as a hundred thousand strings
                return _hashed(f"{kind.__name__} of", repr(value))
            parts = (self.of(v, f"{where}[{i}]") for i, v in enumerate(value))
            return _hashed(kind.__name__, *parts)
        if kind in (set, frozenset):
            # Sorted: strings lie in a set in another order in each process.
            return _hashed("set", *sorted(self.of(v, where) for v in value))
        if kind in (dict, MappingProxyType):
            return self._pairs(value.items(), where)
        if kind in (np.ndarray, np.memmap) and value.dtype.hasobject:
            boxed = self.of(value.ravel().tolist(), where)
            return _hashed("objects", str(value.dtype), str(value.shape), boxed)
        of_table = kind.__module__.partition(".")[0] in TABLES
        if of_table or sparse.issparse(value):
            return self._hash(value, where)
        if kind in (np.ndarray, np.memmap) or isinstance(value, np.generic):
            return self._hash(value, where)
        if is_tensor(value):
            array = from_tensor(where, value)
            return _hashed(str(value.dtype), self._hash(array, where))
        if isinstance(value, ModuleType):
            return self._by_name(value, value.__name__, "", where)
        if isinstance(value, FunctionType | type):
            return self._code_of(value, where)
        return self._object(value, where)

    def _pairs(self, items: Iterable[tuple[Any, Any]], where: str) -> str:
        told: list[str] = []
        for key, value in items:
            inside = f"{where}.{key}" if isinstance(key, str) else f"{where}[{key!r}]"
            told += self.of(key, where), self.of(value, inside)
        return _hashed("dict", *told)

    def _hash(self, value: Any, where: str) -> str:
        try:
            # An array that joblib has mapped from a file for a worker is the same
            # array.
            return _hashed("table", str(joblib.hash(value, "sha1", coerce_mmap=True)))
        except Exception as error:
            raise _refusal(where, value, error) from error

    # Functions and classes

    def _code_of(self, value: Any, where: str) -> str:
        module, name = value.__module__, value.__qualname__
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is value and _version_of(module):
            return self._by_name(value, module, name, where)
        if isinstance(value, type):
            return self._class(value, where)
        return self._function(value, where)

    def _by_name(self, value: Any, module: str, name: str, where: str) -> str:
        told = _version_of(module)
        if told is None:
            raise _refusal(where, value, "its code is not that of a package")
        return _hashed("by name", module, name, told)

    def _class(self, kind: type, where: str) -> str:
        own = {k: v for k, v in vars(kind).items() if k not in UNREAD}
        bases = self.of(kind.__bases__, f"{where}.__bases__")
        metaclass = self.of(type(kind), where)
        name = f"{where}.{kind.__name__}"
        return _hashed("class", kind.__name__, metaclass, bases, self.of(own, name))

    def _function(self, function: FunctionType, where: str) -> str:
        # A function is its code and all that it reads: globals by name, cells,
        # defaults. Of a module of the user's, what may be asked of it stands among the
        # names as well.
        code = function.__code__
        reads = {name for part in _codes(code) for name in _names(part, *READ)}
        names = {name for part in _codes(code) for name in part.co_names}
        used = {
            name: self._used(function.__globals__[name], names)
            for name in sorted(reads & function.__globals__.keys())
        }
        for part in _codes(code):
            for module in _names(part, "IMPORT_NAME"):
                if _version_of(module) is None:
                    why = f"it imports {module!r}, which is not part of a package"
                    raise _refusal(where, function, why)
        cells = [_content(cell) for cell in function.__closure__ or ()]
        held = function.__defaults__, function.__kwdefaults__, cells, vars(function)
        return _hashed(
            "function",
            self._code(code, where),
            self.of(held, where),
            self.of(used, where),
        )

    def _used(self, value: Any, names: set[str]) -> Any:
        """Return a global; of a module of the user's what is asked of it."""
        if not isinstance(value, ModuleType) or _version_of(value.__name__):
            return value
        asked = sorted(name for name in names if hasattr(value, name))
        return {name: self._used(getattr(value, name), names) for name in asked}

    def _code(self, code: CodeType, where: str) -> str:
        consts = [
            self._code(const, where) if isinstance(const, CodeType) else const
            for const in code.co_consts
        ]
        sizes = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount
        names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
        what = code.co_code, code.co_flags, code.co_exceptiontable, sizes, names
        return _hashed("code", self.of(what, where), self.of(consts, where))

    # Everything else

    def _object(self, value: Any, where: str) -> str:
        if isinstance(value, DatasetItems):
            why = "its items are known when they are read. Pass arrays, or files"
            raise _refusal(where, value, f"{why} with a reader")
        if isinstance(value, FileItems):
            return self._files(value, where)
        if isinstance(value, MethodType):
            both = value.__self__, value.__func__
            return _hashed("method", self.of(both, where))
        if isinstance(value, staticmethod | classmethod):
            return _hashed(type(value).__name__, self.of(value.__func__, where))
        if isinstance(value, property):
            three = value.fget, value.fset, value.fdel
            return _hashed("property", self.of(three, where))
        if isinstance(value, cached_property):  # it has a lock
            return _hashed("cached_property", self.of(value.func, where))
        if isinstance(value, MemberDescriptorType | GetSetDescriptorType):
            return _hashed("slot", value.__name__)
        # What pickle would keep of it, told part by part. The bytes of a pickle would
        # not do: they depend on which equal parts are one object.
        try:
            reduce = copyreg.dispatch_table.get(type(value))
            made: Any = reduce(value) if reduce else value.__reduce_ex__(4)
        except Exception as error:
            raise _refusal(where, value, error) from error
        if isinstance(made, str):  # the name of what is there once
            inner = getattr(value, "__wrapped__", None)  # as of functools.lru_cache
            if inner is not None:
                return _hashed("wrapped", self.of(inner, where))
            module = getattr(value, "__module__", None) or type(value).__module__
            return self._by_name(value, module, made, where)
        how, given, state, items, pairs = (*made, None, None, None)[:5]
        if isinstance(state, dict):
            told = self._pairs(state.items(), where)
        else:
            told = self.of(state, where)
        return _hashed(
            "object",
            self.of(how, where),
            self.of(given, where),
            told,
            self.of(None if items is None else list(items), where),
            "" if pairs is None else self._pairs(pairs, where),
        )

    def _files(self, value: FileItems, where: str) -> str:
        told = [self.of(value.reader, f"{where}.reader")]
        for path in value.files:
            try:
                with open(path, "rb") as file:
                    told.append(hashlib.file_digest(file, "sha256").hexdigest())
            except (OSError, TypeError, ValueError) as error:
                raise _refusal(where, path, error) from error
        return _hashed("files", *told)


def _hashed(*parts: str) -> str:
    # With lengths, so that no two lists of parts read the same.
    told = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _refusal(where: str, value: Any, why: object) -> SourceError:
    return SourceError(
        f"cache finds results by all that decides them, and cannot tell {where}, a "
        f"{type(value).__name__}, from another: {why}. Use what can be pickled, from a "
        "file or a package; or leave cache out."
    )


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of a function, and of those in it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)


def _names(code: CodeType, *operations: str) -> set[str]:
    return {i.argval for i in dis.get_instructions(code) if i.opname in operations}


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return "empty"


@cache
def _own_code() -> str:
    """Return a fingerprint of this package: its version may stay as code changes."""
    root = Path(__file__).parents[1]
    files = sorted(root.rglob("*.py"))
    return name_of(*(hashlib.sha256(file.read_bytes()).hexdigest() for file in files))


@cache
def _packages() -> Any:
    return packages_distributions()


@cache
def _version_of(module: str) -> str | None:
    """Return the version of the package a module is from; None if it is from none.

    Code that is being worked on is from none: its version stays while it changes.
    """
    top = module.partition(".")[0]
    if top == "sktandem":
        return _own_code()
    loaded = sys.modules.get(module)
    if loaded is None:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        file = spec.origin if spec.has_location else None
    else:
        file = getattr(loaded, "__file__", None)
    if top in sys.stdlib_module_names:  # a file of the user's may have such a name
        inside = file is None or _is_in(file, sysconfig.get_path("stdlib"))
        return platform.python_version() if inside else None
    for name in _packages().get(top, ()):
        found = distribution(name)
        if file is not None and _is_in(file, str(found.locate_file(""))):
            return f"{name} {found.version}"
    return None


def _is_in(file: str, folder: str) -> bool:
    return Path(file).resolve().is_relative_to(Path(folder).resolve())
