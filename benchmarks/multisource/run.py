"""Every way of using several sources on every problem, and a page of what came out.

What was run is kept, a line for each fit of a way, so that an interrupted run goes on
where it was, and a new way or problem is all that a later one runs.
"""

import argparse
import sys
import time
from pathlib import Path

from joblib import Parallel, delayed

from .bundled import BUNDLED
from .cells import Cache, key_of, run_cell
from .made import MADE
from .packaged import PACKAGED
from .peers import PEERS, run_peers
from .report import write_pages
from .ways import LEARNERS, ways_of

PROBLEMS = {kind.name: kind() for kind in (*BUNDLED, *MADE, *PACKAGED)}
HOME = Path("build/multisource")
N_DRAWS = {"linear": 5, "boosted": 1, "net": 1}  # under an hour on two cores
QUICK = ("wine, 50 red", "hospitals")
# Nets are slow: some problems, of each kind.
NET_PROBLEMS = (
    "wine, 50 red", "hospitals", "made: same rule, 50", "made: opposite rule, 50",
    "temperature, three airports", "sex of penguins, three species", "diabetes by sex",
)  # fmt: skip


def options(arguments=None):
    parser = argparse.ArgumentParser(prog="multisource", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="two problems, one draw, linear models")
    add("--problem", action="append", help="a part of its name; may be repeated")
    add("--way", action="append", help="the name of a way; may be repeated")
    add("--learner", action="append", choices=LEARNERS)
    add("--draws", type=int, help="draws of each problem, for every learner")
    add("--side", choices=("tuning", "last", "both"), default="tuning")
    add("--jobs", type=int, default=1, help="how many ways to fit at once")
    add("--peers", type=Path, help="the folder of environments of other packages")
    add("--out", type=Path, default=HOME, help="where rows and pages are written")
    add("--machine", default="", help="the machine in words, for the page")
    add("--only-report", action="store_true", help="write the pages, run nothing")
    return parser.parse_args(arguments)


def cells_for(given, problems, learners):
    """Yield problem, learner, way, draw of all that is asked for."""
    for learner in learners:
        # Draw by draw, so that a run that is stopped has something of every problem.
        for draw in range(draws_for(given, learner)):
            for problem in problems:
                if not runs_on(problem, learner, draw, given):
                    continue
                for way in ways_of(learner):
                    if not given.way or way in given.way:
                        yield problem, learner, way, draw


def runs_on(problem, learner, draw, given):
    if problem.dear and draw >= (2 if learner == "linear" else 1):
        return False
    if learner == "net":
        return bool(given.problem) or problem.name in NET_PROBLEMS
    return learner in problem.learners


def draws_for(given, learner):
    return given.draws or (1 if given.quick else N_DRAWS[learner])


def wanted(given):
    """Return the problems and the learners that are asked for.

    The last third is looked at once, after tuning: never without being asked for.
    """
    parts = given.problem or (QUICK if given.quick else [""])
    problems = [
        p for name, p in PROBLEMS.items() if any(part in name for part in parts)
    ]
    if not problems:
        sys.exit(f"No problem is called {given.problem}. There are {list(PROBLEMS)}.")
    if given.side != "both":
        problems = [p for p in problems if p.side == given.side]
    return problems, given.learner or (["linear"] if given.quick else LEARNERS)


def main(arguments=None):
    """Run what is asked for and not there yet; return the rows and the pages."""
    given = options(arguments)
    problems, learners = wanted(given)
    cache = Cache(given.out / "rows.jsonl")
    if not given.only_report:
        run(given, problems, learners, cache)
    return cache, write_pages(cache, PROBLEMS, given.out, given.machine)


def run(given, problems, learners, cache):
    todo = []
    for problem, learner, way, draw in cells_for(given, problems, learners):
        row = {"problem": problem.name, "learner": learner, "way": way, "draw": draw}
        if key_of(row) not in cache.rows:
            todo.append((problem, learner, way, draw))
    # What takes minutes comes last, after all draws of the others.
    todo.sort(key=lambda cell: (LEARNERS.index(cell[1]), cell[0].dear))
    start = time.perf_counter()
    work = Parallel(given.jobs, return_as="generator_unordered")
    for done, row in enumerate(work(delayed(run_cell)(*cell) for cell in todo), 1):
        cache.add(row)
        tell(row, f"{done} of {len(todo)}, {time.perf_counter() - start:.0f} s")
    if given.peers is not None:
        for peer in PEERS:
            if given.way and not set(given.way) & set(peer.ways):
                continue
            cells = [
                (problem, learner, draw)
                for learner in learners
                for draw in range(draws_for(given, learner))
                for problem in problems
                if runs_on(problem, learner, draw, given)
            ]
            run_peers(peer, cells, given.peers, cache, tell)


def tell(row, progress):
    result = row.get("error") or f"{row['seconds']:.1f} s"
    names = f"{row['problem']}, {row['learner']}, {row['way']}, draw {row['draw']}"
    print(f"[{progress}] {names}: {result}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
