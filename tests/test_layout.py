"""The rooms of the house: imports run downward, and heavy ones only when used."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import sktandem

ROOT = Path(sktandem.__file__).parent

# From the ground up; a file imports only from its own room and those before it.
ROOMS = [
    "exceptions",
    "_extras",
    "_typing",
    "_telling",
    "_settings",
    "_docs",
    "_callbacks",
    "_routing",
    "_kept",
    "_parallel",
    "data",
    "scaling",
    "stats",
    "report",
    "merge",
    "schedules",
    "nn",
    "shift",
    "files",
    "datasets",
    "inspection",
    "members",
    "model_selection",
    "tandem",
    "text",
    "cli",
    "__main__",
]


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room_of(module):
    return module.split(".")[0]


MODULES = {module_of(path): path for path in ROOT.rglob("*.py")}
MODULES = {name: path for name, path in MODULES.items() if name}


def imports_of(path):
    """Yield the modules of the package that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            assert node.module != "sktandem", f"{path} imports from the top"
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name.removeprefix("sktandem.") in MODULES:
                yield name.removeprefix("sktandem.")


def test_every_file_is_in_a_room():
    assert {room_of(module) for module in MODULES} == set(ROOMS)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_file_imports_only_from_its_room_and_those_below(module):
    for imported in imports_of(MODULES[module]):
        floor, own = ROOMS.index(room_of(imported)), ROOMS.index(room_of(module))
        assert floor <= own, f"{module} imports {imported}"


def test_no_imports_run_in_a_circle():
    graph = {module: set(imports_of(path)) for module, path in MODULES.items()}

    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises if so

    assert len(order) == len(MODULES)


# scikit-learn itself imports pandas where it is installed, so the modules are
# made impossible to import: whoever tries, in whatever way, fails.
LIGHT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in (
            "torch", "skorch", "pandas", "polars", "pyarrow", "matplotlib",
            "transformers",
        ):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import numpy as np
import sktandem, sktandem.datasets, sktandem.model_selection
from sklearn.linear_model import LogisticRegression, Ridge
from sktandem import Merged, SourceScaler, stack_sources
y = [0, 1, 0, 1]
X, y, s = stack_sources({"a": (np.eye(4), y), "b": (np.eye(4), y)})
model = Merged(LogisticRegression(), balance="both", scale_by="source")
model.fit(X, y, sample_source=s).predict(X, sample_source=s)
numbers = Merged(Ridge(), scale_target_by="source").fit(X, y, sample_source=s)
numbers.score(X, y, sample_source=s)
SourceScaler().fit_transform(X, sample_source=s)
sktandem.model_selection.score_by_source(model, X, y, sample_source=s)
sktandem.datasets.load_wine_quality()
print("done")
"""


@pytest.mark.slow
def test_importing_and_merging_leave_the_heavy_libraries_alone():
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "done"


def test_every_public_name_is_there():
    for name in sktandem.__all__:
        assert getattr(sktandem, name).__doc__


NEEDS_PANDAS = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
from sktandem.datasets import load_wine_quality
from sktandem.model_selection import SourceScores
for call in (
    lambda: load_wine_quality(as_frame=True),
    SourceScores("r2", 0.5, {"red": 0.5}, {"red": 1}).to_frame,
):
    try:
        call()
    except ImportError as error:
        print(error)
"""


@pytest.mark.slow
def test_what_needs_pandas_says_how_to_get_it():
    done = subprocess.run(
        [sys.executable, "-c", NEEDS_PANDAS], capture_output=True, text=True, check=True
    )

    cure = 'needs pandas. Install it with: pip install "sktandem[notebook]"'
    assert done.stdout.splitlines() == [f"as_frame=True {cure}", f"to_frame {cure}"]
