"""Run cases and print what was found: `make fuzz N=1000 SEED=0`.

A case is made from its number and the seed alone, so that `make fuzz CASE=17` runs it
by itself, with the traceback of an error that was not meant.
"""

import argparse
import time
from collections import Counter, defaultdict
from itertools import count, islice

import numpy as np
from fuzz_entries import ENTRIES
from fuzz_oracles import Case, judge
from sklearn import config_context

# A case of these takes as long as ten of others: a long run has one in three of them.
DEAR = ("shift_report", "Tandem, nets")


def run_case(number, seed=0, *, entries=tuple(ENTRIES), loud=False):
    """Make a case and run it; its entry is the next in turn."""
    entry = entries[number % len(entries)]
    case = Case(number, entry, np.random.default_rng([seed, number]), loud=loud)
    options = {"enable_metadata_routing": case.rng.random() < 0.1}
    options["transform_output"] = "pandas" if case.rng.random() < 0.1 else "default"
    case.told.append(f"scikit-learn: {options}")
    try:
        with config_context(**options):
            ENTRIES[entry](case)
    except Exception as error:  # of the fuzzer: a long run is not to end with it
        judge(case, "the fuzzer", error)
    return case


def in_turn(first):
    """Yield the numbers of cases that a long run takes."""
    names = list(ENTRIES)
    for number in count(first):
        turn, place = divmod(number, len(names))
        if turn % 3 == 0 or names[place] not in DEAR:
            yield number


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="run this one alone")
    given = parser.parse_args()
    if given.case is not None:
        case = run_case(given.case, given.seed, loud=True)
        print(case.entry, *case.told, case.raised or "nothing raised", sep="\n  ")
        print("faults:", *case.faults.values() or ["none"], sep="\n  ")
        return 1 if case.faults else 0
    cases, refused, found = Counter(), Counter(), Counter()
    places, slowest = defaultdict(list), (0.0, None)
    for number in islice(in_turn(given.first), given.cases):
        start = time.perf_counter()
        case = run_case(number, given.seed)
        slowest = max(slowest, (time.perf_counter() - start, number))
        cases[case.entry] += 1
        refused[case.entry] += bool(case.raised)
        found[case.entry] += bool(case.faults)
        for fault in case.faults:
            places[fault].append((number, case.entry))
    print(f"{'entry':34}{'cases':>7}{'refused':>9}{'faulty':>8}")
    for entry in cases:
        print(f"{entry:34}{cases[entry]:7}{refused[entry]:9}{found[entry]:8}")
    print(f"{'all':34}{cases.total():7}{refused.total():9}{found.total():8}")
    print(f"From case {given.first} to {number}.", end=" ")
    print(f"The slowest, case {slowest[1]}, took {slowest[0]:.1f} s.")
    for fault, at in sorted(places.items(), key=lambda item: -len(item[1])):
        entries = ", ".join(sorted({entry for _, entry in at}))
        numbers = ", ".join(str(number) for number, _ in at[:3])
        print(f"\n{len(at)} x {fault}\n    in {entries}; case {numbers}")
    return 1 if places else 0


if __name__ == "__main__":
    raise SystemExit(main())
