"""The rooms of the house: imports run downward, and heavy ones only when used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sktandem

ROOT = Path(sktandem.__file__).parent

# From the ground up; a file imports only from files before it.
ORDER = [
    "exceptions",
    "_extras",
    "_typing",
    "_telling",
    "_routing",
    "_nested",
    "_transaction",
    "_tables",
    "_sources",
    "_unknown",
    "_cells",
    "_join",
    "_stack",
    "_near_rows",
    "_shared_rows",
    "_macro",
    "_inference",
    "_row_losses",
    "_drawing",
    "_page",
    "datasets",
    "_affine",
    "_scaling",
    "_source_scaler",
    "merge._resample",
    "merge._plan",
    "merge._representation",
    "merge._inner",
    "merge._merged",
    "merge._classifier",
    "merge._regressor",
    "merge",
    "schedules._schedule",
    "schedules._settings",
    "schedules._turns",
    "schedules._epochs",
    "schedules._batches",
    "schedules._plateau",
    "schedules._sampled",
    "schedules._curriculum",
    "schedules._bandit",
    "schedules._joint",
    "schedules._shuffled",
    "schedules._names",
    "schedules._phases",
    "schedules",
    "nn._modules",
    "nn._heads",
    "nn._validation",
    "nn._average",
    "nn._ragged",
    "nn._batches",
    "nn._losses",
    "nn._features",
    "nn._net",
    "nn._turns",
    "nn._recorder",
    "nn._loop",
    "nn._precision",
    "nn._seeding",
    "nn._rows",
    "nn._sizes",
    "nn._undo",
    "nn._resume",
    "nn._predicting",
    "nn._balance",
    "nn._targets",
    "nn._probabilities",
    "nn._alternating",
    "nn._classifier",
    "nn._regressor",
    "nn._tasks",
    "nn._weighing",
    "nn._multihead",
    "nn._multihead_classifier",
    "nn._multihead_regressor",
    "nn._multihead_estimator",
    "nn",
    "inspection._displays",
    "inspection._shift_columns",
    "inspection._shift_units",
    "inspection._shift_features",
    "inspection._shift_joint",
    "inspection._shift_checks",
    "inspection._findings",
    "inspection._shift_displays",
    "inspection._shift_report",
    "inspection._shift_after",
    "inspection._shift",
    "inspection._forest",
    "inspection._learning_curve",
    "inspection",
    "strategies._strategy",
    "strategies._units",
    "strategies._models",
    "strategies._models_classifier",
    "strategies._models_regressor",
    "strategies._source_strategy",
    "strategies._only",
    "strategies._own",
    "strategies._merged",
    "strategies._weighted",
    "strategies._stacked",
    "strategies._similarity",
    "strategies._alternating",
    "strategies._multihead",
    "strategies._per_source",
    "strategies._names",
    "strategies",
    "model_selection._split",
    "model_selection._view",
    "model_selection._scores",
    "model_selection._scorers",
    "model_selection._report",
    "model_selection._judges",
    "model_selection._wording",
    "model_selection._comparison",
    "model_selection._curve",
    "model_selection._folds",
    "model_selection._verdicts",
    "model_selection._compare",
    "model_selection._learning_curve",
    "model_selection._choice",
    "model_selection._tandem",
    "model_selection._tandem_classifier",
    "model_selection._tandem_regressor",
    "model_selection",
    "text._transformers",
    "text._texts",
    "text._small",
    "text._encoder",
    "text._tokens",
    "text._optimizer",
    "text._patience",
    "text._rate",
    "text._folder",
    "text._finetuning",
    "text._alternating",
    "text._multihead",
    "text",
    "cli._files",
    "cli._targets",
    "cli._sources",
    "cli._options",
    "cli._report",
    "cli._main",
    "cli",
    "__main__",
]


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def floor_of(module):
    """Return the place of a module in the order, by itself or by its room."""
    for name in (module, module.split(".")[0]):
        if name in ORDER:
            return ORDER.index(name)
    return None


MODULES = {module_of(path): path for path in ROOT.rglob("*.py")}
MODULES = {name: path for name, path in MODULES.items() if name}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            assert node.module != "sktandem", f"{path} imports from the top"
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_file_imports_only_from_files_below_it(module):
    assert floor_of(module) is not None, f"{module} has no place in ORDER"
    for imported in imports_of(MODULES[module]):
        if not imported.startswith("sktandem."):
            continue
        below = imported.removeprefix("sktandem.")
        same_room = below.split(".")[0] == module.split(".")[0]
        if same_room and floor_of(below) == floor_of(module):
            continue  # a room that the order lists as one
        assert floor_of(below) < floor_of(module), f"{module} imports {below}"


# scikit-learn itself imports pandas where it is installed, so the modules are
# made impossible to import: whoever tries, in whatever way, fails.
LIGHT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "skorch", "pandas", "matplotlib", "transformers"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import numpy as np
import sktandem, sktandem.datasets, sktandem.model_selection
from sktandem import MergedClassifier, MergedRegressor, SourceScaler, stack_sources
y = [0, 1, 0, 1]
X, y, s = stack_sources({"a": (np.eye(4), y), "b": (np.eye(4), y)})
MergedClassifier(balance="both", scale_by="source").fit(X, y, s).predict(X, s)
MergedRegressor(scale_target_by="source").fit(X, y, s).score(X, y, s)
SourceScaler().fit_transform(X, sample_source=s)
sktandem.model_selection.score_by_source(MergedClassifier().fit(X, y, s), X, y, s)
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
