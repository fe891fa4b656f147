"""Other packages, each in an environment of its own, on the same rows.

An environment is a folder `peers-<package>` beside the others; see `--peers`. What is
not installed there, or fails, is a row with its message.
"""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import numpy as np
from sklearn.preprocessing import StandardScaler

from .cells import first_line, is_of_classes, key_of, measured
from .ways import scaler_for

WORKER = Path(__file__).with_name("peer_worker.py")
LIMIT = 240  # seconds for all that a peer has to do in a run
MOST_SOURCES = 12  # of a peer that fits anew for each source


@dataclass(frozen=True)
class Peer:
    """A package and the ways of it, with what they are for."""

    package: str
    ways: tuple
    tasks: tuple = ("regression", "classification", "counts")
    learners: tuple = ("linear", "boosted")
    by_source: bool = False


PEERS = (
    Peer("scikit-lego", ("lego grouped", "lego hierarchical")),
    Peer("statsmodels", ("MixedLM",), ("regression",), ("linear",)),
    Peer("merf", ("MERF",), ("regression",)),
    Peer("gpboost", ("GPBoost",)),
    Peer(
        "skada", ("skada reweighted", "skada CORAL", "skada subspace"), by_source=True
    ),
    Peer(
        "adapt",
        (
            "adapt augmented", "adapt PRED", "adapt CORAL", "adapt balanced",
            "adapt TrAdaBoost", "adapt transfer",
        ),
        by_source=True,
    ),
    Peer("combatlearn", ("ComBat",)),
)  # fmt: skip
PEER_WAYS = [way for peer in PEERS for way in peer.ways]


@dataclass(frozen=True)
class Answer:
    """What a worker wrote, as a fitted model is read."""

    classes_: np.ndarray


def run_peers(peer, cells, folder, cache, tell):
    """Run a peer on what is not there yet: all in one process of its own."""
    todo = []
    for problem, learner, draw in cells:
        if learner not in peer.learners or problem.task not in peer.tasks:
            continue
        for way in peer.ways:
            row = {"problem": problem.name, "learner": learner, "way": way}
            row["draw"] = draw
            if key_of(row) not in cache.rows:
                todo.append((problem, row))
    python = folder / f"peers-{peer.package}" / "bin" / "python"
    if not python.exists():
        for _, row in todo:
            cache.add(row | {"error": f"{peer.package} is not installed"})
        return
    while todo:
        answered = _in_one_process(peer, python, todo, cache, tell)
        if answered is None:  # out of time: the rest is for another run
            return
        todo = todo[answered + 1 :]


def _in_one_process(peer, python, todo, cache, tell):
    """Return how many were answered, or None where there was no more time."""
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [python, WORKER, place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        timer = Timer(LIMIT, process.kill)
        timer.start()
        for done, (problem, row) in enumerate(todo):
            train, test = problem.draw(row["draw"])
            n_sources = len(np.unique(train.source))
            if peer.by_source and n_sources > MOST_SOURCES:
                cache.add(row | {"error": f"left out: {n_sources} fits, one a source"})
                continue
            path, classes = _write(Path(place), problem, row, train, test)
            said = _ask(process, path)
            if said is None:
                timed_out = not timer.is_alive()
                timer.cancel()
                if timed_out:
                    return None
                errors.seek(0)
                cause = (errors.read().strip().splitlines() or ["it said nothing"])[-1]
                row["error"] = f"the process ended: {cause}"[:200]
                cache.add(row)
                tell(row, peer.package)
                return done
            row = row | (said if "error" in said else _read(path, problem, test, said,
                                                            classes))  # fmt: skip
            cache.add(row)
            tell(row, f"{peer.package}, {done + 1} of {len(todo)}")
        timer.cancel()
        process.stdin.close()
        process.wait()
    return len(todo)


def _ask(process, path):
    try:
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
    except BrokenPipeError:
        return None
    line = process.stdout.readline()
    return json.loads(line) if line else None


def _write(place, problem, row, train, test):
    """Write what a worker needs, as numbers; return the file and the classes."""
    scaler = scaler_for(train.X, test.X)
    scaler = StandardScaler() if isinstance(scaler, str) else scaler
    X, X_test = scaler.fit_transform(train.X), scaler.transform(test.X)
    names = np.unique(train.source)
    classes, y = None, train.y
    if is_of_classes(problem):
        classes, y = np.unique(train.y, return_inverse=True)
    path = place / "job.npz"
    np.savez(
        path,
        X=X, y=y, source=np.searchsorted(names, train.source),
        X_test=X_test, source_test=np.searchsorted(names, test.source),
        way=row["way"], learner=row["learner"], task=problem.task, seed=row["draw"],
    )  # fmt: skip
    return path, classes


def _read(path, problem, test, said, classes):
    try:
        answers = np.load(path.with_name("answers.npy"))
        cost = said["seconds"], said["memory"]
        return measured(problem, test, answers, Answer(classes), *cost)
    except Exception as error:
        return {"error": first_line(error)}
