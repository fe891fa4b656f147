"""Without torch and skorch all but the nets works."""

import subprocess
import sys

import pytest

import sktandem

BLOCKED = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "skorch"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
"""


def printed(code):
    """Run code in a process of its own and return the lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def without_nets(code):
    return printed(BLOCKED + code)


USED = """
import numpy as np, sktandem
from sklearn.linear_model import LogisticRegression
from sktandem.inspection import shift_report
from sktandem.model_selection import compare_strategies, score_by_source

rng = np.random.default_rng(0)
X, source = rng.normal(size=(240, 3)), np.repeat(["clinic", "lab"], 120)
y = (X[:, 0] + rng.normal(size=240) > 0).astype(int)
estimator = LogisticRegression()

merged = sktandem.MergedClassifier(estimator, balance="sources")
print(*score_by_source(merged.fit(X, y, sample_source=source), X, y, source).by_source)
compared = compare_strategies(
    estimator, X, y, sample_source=source, strategies="all", cv=2, n_repeats=1,
    random_state=0, progress=False,
)
print(*sorted({contrast.source for contrast in compared.contrasts}))
tandem = sktandem.TandemClassifier(estimator, cv=2, random_state=0)
print(tandem.fit(X, y, sample_source=source).predict(X, sample_source=source).shape)
print(len(shift_report(X, y, source, random_state=0).features))
"""


def test_merging_scoring_comparing_and_choosing_need_no_torch():
    assert without_nets(USED) == ["clinic lab", "clinic lab", "(240,)", "3"]


ASKED = {
    "from sktandem import AlternatingClassifier": "AlternatingClassifier needs torch "
    'and skorch. Install them with: pip install "sktandem[nets]"',
    "import sktandem.nn": "sktandem.nn needs torch and skorch. Install them with: "
    'pip install "sktandem[nets]"',
    "from sktandem.strategies import Alternating; Alternating().build(None)": (
        "sktandem.nn needs torch and skorch. Install them with: "
        'pip install "sktandem[nets]"'
    ),
}


@pytest.mark.parametrize("statement", ASKED)
def test_who_asks_for_a_net_gets_the_command_to_install(statement):
    code = f"""
try:
    {statement}
except ImportError as error:
    print(error)
"""
    assert without_nets(code) == [ASKED[statement]]


def test_one_missing_library_is_named_alone():
    pytest.importorskip("torch")
    code = """
import sys
sys.modules["skorch"] = None
import sktandem
try:
    sktandem.MultiHeadRegressor
except ImportError as error:
    print(error)
"""
    assert printed(code) == [
        'MultiHeadRegressor needs skorch. Install it with: pip install "sktandem[nets]"'
    ]


WALKED = """
import doctest, inspect, pkgutil, warnings, sktandem
names = [name for name, _ in inspect.getmembers(sktandem)]
print([name for name in names if name.startswith(("Alternating", "Multi"))])
print(len(doctest.DocTestFinder(exclude_empty=False).find(sktandem)) > 0)
warnings.simplefilter("ignore")
refused = []
for _ in pkgutil.walk_packages(sktandem.__path__, "sktandem.", refused.append):
    pass
print(refused)
from sktandem import *
print(MergedClassifier.__name__)
"""


def test_whoever_looks_at_all_names_meets_no_error():
    assert without_nets(WALKED) == [
        "[]",
        "True",
        "['sktandem.nn', 'sktandem.text']",
        "MergedClassifier",
    ]


def test_a_star_import_takes_what_is_light_and_dir_shows_the_nets():
    pytest.importorskip("torch")
    pytest.importorskip("skorch")
    code = """
import sys, sktandem
from sktandem import *
print("torch" in sys.modules)
print({"AlternatingRegressor", "stack_sources"} <= {*dir(sktandem)})
"""
    assert printed(code) == ["False", "True"]


def test_every_lazy_name_is_there():
    pytest.importorskip("torch")
    pytest.importorskip("skorch")
    for name in sktandem._NETS:
        assert getattr(sktandem, name).__doc__
