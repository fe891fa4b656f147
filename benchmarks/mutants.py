"""Change the code one token at a time and count which changes a test notices.

`make mutants` does it to a tenth of the places in the files below, `make mutants
TENTHS=0123456789` to all: hours. A mutant that ends in one of the digits of TENTHS is
tried, by the tests of its own room alone. mutants.md says why those that live may.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

# What is changed, and the tests that concern it.
ROOMS = {
    "data": (
        ["data/_rows", "data/_sources"],
        ["data", "merge", "model_selection/test_split.py", "tandem/test_tandem.py"],
    ),
    "merge": (
        [f"merge/_{name}" for name in ("partial", "plan", "representation", "stream")],
        ["merge"],
    ),
    "model_selection": (
        ["model_selection/_folds", "model_selection/_split"],
        [
            *("model_selection/test_compare.py", "model_selection/test_split.py"),
            "test_kept.py::test_only_what_is_new_is_fitted",
            "nn/test_batched.py::test_a_comparison_names_a_net_that_gives_nan",
        ],
    ),
    "schedules": (["schedules/_[!_]*"], ["schedules"]),
    "stats": (
        ["stats/_inference"],
        ["stats/test_inference.py", "model_selection/test_comparison.py"],
    ),
    "tandem": (
        ["stats/_*loss*", "tandem/_blend", "tandem/_judge", "tandem/_simplex"],
        [
            *("stats/test_losses.py", "stats/test_row_loss.py"),
            *(f"tandem/test_{name}.py" for name in ("donors", "simplex", "tandem")),
            "test_kept.py::test_rows_of_unknown_sources_are_asked_once",
        ],
    ),
}
SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {files}
also_copy = ["conftest.py"]
do_not_mutate_patterns = ['^\\s*(raise \\w+\\(|warn\\w*\\()?f?"']
pytest_add_cli_args = [
    "-n0", "--hypothesis-profile=mutants", "-m", "not contract",
    # A warning comes from the tool's own frame; polars and workers wait without end in
    # a fork of a process that has used them.
    "-k", "not points_at and not nothing_to_balance and not polars and not workers",
]
pytest_add_cli_args_test_selection = {tests}
process_isolation = "forkserver" # torch hangs in a fork of what has trained
timeout_multiplier = 4.0
timeout_constant = 20.0
"""
ROOT = Path(__file__).resolve().parents[1]
# The tool's exit statuses. Any other is a crash, or a loop that may be endless.
STATES = {0: "lives", 1: "killed", 3: "killed", 5: "no test", 33: "no test"}


def try_room(room, tenths):
    """Return the mutants tried in a room, with what became of each."""
    folder = ROOT / "build" / "mutants" / room
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("src", "tests", "conftest.py"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    files = [f"src/sktandem/{file}.py" for file in ROOMS[room][0]]
    tests = [f"tests/{test}" for test in ROOMS[room][1]]
    settings = SETTINGS.format(files=json.dumps(files), tests=json.dumps(tests))
    whole = (ROOT / "pyproject.toml").read_text() + settings
    (folder / "pyproject.toml").write_text(whole)
    tool = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children=2"]
    run = subprocess.run(
        [*tool, *(f"*__mutmut_*{digit}" for digit in tenths)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise SystemExit(f"{room}: the tool ended with\n{run.stdout}{run.stderr}")
    tried = {}
    for path in sorted(folder.glob("mutants/src/**/*.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        tried |= {
            name: STATES.get(code, "ran out of time")
            for name, code in codes.items()
            if code is not None and name[-1] in tenths
        }
    return tried


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenths", default="1")
    parser.add_argument("--rooms", nargs="*", default=[*ROOMS], choices=[*ROOMS])
    given = parser.parse_args()
    every, alive = Counter(), []
    for room in given.rooms:
        tried = try_room(room, given.tenths)
        killed = sum(state == "killed" for state in tried.values())
        every += Counter(killed=killed, tried=len(tried))
        alive += [
            f"{name}: {state}" for name, state in tried.items() if state != "killed"
        ]
        print(f"{room:20}{killed:6} of {len(tried):5} killed", flush=True)
    share = 100 * every["killed"] / every["tried"]
    print(f"{'all':20}{every['killed']:6} of {every['tried']:5} killed, {share:.1f} %")
    print(*alive, sep="\n")


if __name__ == "__main__":
    main()
