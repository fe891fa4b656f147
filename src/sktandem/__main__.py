"""The main job on real data: what each wine, and both together, are worth."""

from __future__ import annotations

import argparse
import csv
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from sktandem.datasets import load_wine_quality
from sktandem.exceptions import SourceWarning
from sktandem.merge import MergedClassifier, MergedRegressor
from sktandem.model_selection import SourceKFold, score_by_source

# One colour per source, the same in every picture.
COLOURS = ("#a4303f", "#d9a520", "#3b6ea5", "#4d8b57")
LEFT_EDGE = -0.1  # scores further left are told as numbers, or they hide the rest

WINES = ("red", "white")


class Strategy(NamedTuple):
    """One way of using the two tables: what to set, and the wines to train on."""

    settings: dict[str, Any]
    wines: tuple[str, ...] = WINES
    make: Callable[[], Any] | None = None  # where the learner's own will not do


ALONE = {f"only {wine}": Strategy({}, (wine,)) for wine in WINES}
MERGES = ALONE | {
    "merged": Strategy({}),
    "merged, scaled by source": Strategy({"scale_by": "source"}),
    "merged, sources balanced": Strategy({"balance": "sources"}),
}
TURNS = ALONE | {
    "merged": Strategy({"schedule": "shuffled"}),
    "in turns": Strategy({"schedule": "batches"}),
    "in turns, averaged": Strategy({"schedule": "batches", "average": "ema"}),
}
# The best epoch mostly comes earlier, and the demo is to take less than a minute.
MAX_EPOCHS = 30


def _net_regressor() -> Any:
    from sktandem.nn import AlternatingRegressor, default_net  # loads torch

    net = default_net("regression", max_epochs=MAX_EPOCHS)
    return AlternatingRegressor(net, scale_target_by="pooled")


def _net_classifier() -> Any:
    from sktandem.nn import AlternatingClassifier, default_net

    return AlternatingClassifier(default_net(max_epochs=MAX_EPOCHS))


def _head_regressor() -> Any:
    from sktandem.nn import MultiHeadRegressor, default_net

    return MultiHeadRegressor(default_net("regression", **_trunk()))


def _head_classifier() -> Any:
    from sktandem.nn import MultiHeadClassifier, default_net

    return MultiHeadClassifier(default_net(**_trunk()))


def _trunk() -> dict[str, Any]:
    """Return what makes the hidden layers of the other nets a trunk."""
    return {
        "max_epochs": MAX_EPOCHS,
        "module__hidden_sizes": (64,),
        "module__activate_output": True,
    }


def _turns(head: Callable[[], Any]) -> dict[str, Strategy]:
    """Return the strategies of a net of one output, and a net with two in turns."""
    return TURNS | {"a head each": Strategy({"schedule": "batches"}, make=head)}


def _merged(kind: type, make: Callable[..., Any], **params: Any) -> Callable[[], Any]:
    return lambda: kind(make(**params))


class Learner(NamedTuple):
    """What makes a model of two sources, and the strategies it is tried with."""

    make: Callable[[], Any]
    strategies: dict[str, Strategy]


class Job(NamedTuple):
    """What is predicted: the metric it is scored by, and who learns it."""

    metric: str
    learners: dict[str, Learner]


JOBS = {
    "regression": Job(
        "r2",
        {
            "ridge regression": Learner(_merged(MergedRegressor, Ridge), MERGES),
            "boosted trees": Learner(
                _merged(MergedRegressor, HistGradientBoostingRegressor, max_iter=60),
                MERGES,
            ),
            "neural net": Learner(_net_regressor, _turns(_head_regressor)),
        },
    ),
    "classification": Job(
        "balanced_accuracy",
        {
            "logistic regression": Learner(
                _merged(MergedClassifier, LogisticRegression, max_iter=1000), MERGES
            ),
            "boosted trees": Learner(
                _merged(MergedClassifier, HistGradientBoostingClassifier, max_iter=30),
                MERGES,
            ),
            "neural net": Learner(_net_classifier, _turns(_head_classifier)),
        },
    ),
}


@dataclass(frozen=True)
class Result:
    """The scores of one strategy, a list over folds for each source."""

    learner: str
    strategy: str
    scores: dict[str, list[float]]

    def mean(self, source: str) -> float:
        """Return the mean over folds."""
        return float(np.mean(self.scores[source]))

    def spread(self, source: str) -> float:
        """Return the standard deviation over folds."""
        return float(np.std(self.scores[source], ddof=1))


def compare(task: str, n_folds: int = 5, seed: int = 0) -> Iterator[Result]:
    """Score every strategy on the same folds, yielding each when it is done."""
    metric, learners = JOBS[task]
    X, y, wine = load_wine_quality(task, return_X_y=True)
    folds = SourceKFold(n_folds, shuffle=True, random_state=seed)
    for learner, (make, strategies) in learners.items():
        for strategy, (settings, wines, own) in strategies.items():
            # Unknown rows are tested too: "only red" meets white wine.
            model = (own or make)().set_params(
                **settings, unknown_source="pooled", random_state=seed
            )
            scores: dict[str, list[float]] = {source: [] for source in WINES}
            for train, test in folds.split(X, y, sample_source=wine):
                rows = train[np.isin(wine[train], wines)]
                # One thread: two that wait for each other are slower here.
                with threadpool_limits(1), warnings.catch_warnings():
                    warnings.simplefilter("ignore", SourceWarning)  # of only one
                    model.fit(X[rows], y[rows], sample_source=wine[rows])
                    scored = score_by_source(
                        model, X[test], y[test], wine[test], metric
                    )
                for source, score in scored.by_source.items():
                    scores[str(source)].append(score)
            yield Result(learner, strategy, scores)


def table(results: Sequence[Result]) -> list[str]:
    """Return the lines of a table: a row per strategy, a column per source."""
    lines, learner = [], None
    for result in results:
        if result.learner != learner:
            learner = result.learner
            heads = "".join(f"{'on ' + source:>18}" for source in result.scores)
            lines += ["", f"{learner:<28}{heads}"]
        cells = "".join(
            f"{result.mean(source):>11.3f} ±{result.spread(source):.3f}"
            for source in result.scores
        )
        lines.append(f"  {result.strategy:<26}{cells}")
    return lines


def findings(results: Sequence[Result]) -> list[str]:
    """Say for each learner and source what the other source was worth."""
    lines = []
    for learner in dict.fromkeys(result.learner for result in results):
        by = {r.strategy: r for r in results if r.learner == learner}
        for source in WINES:
            own = by[f"only {source}"]
            both = [result for name, result in by.items() if name not in ALONE]
            best = max(both, key=lambda result: result.mean(source))
            gain = np.subtract(best.scores[source], own.scores[source])
            wins = int((gain > 0).sum())
            lines.append(
                f"  {learner}, on {source}: alone {own.mean(source):.3f}, with both "
                f"{best.mean(source):.3f} ({best.strategy}), "
                f"better in {wins} of {len(gain)} folds"
            )
    return lines


def write_csv(results: Sequence[Result], metric: str, path: Path) -> None:
    """Write a row per learner, strategy, source and fold."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["learner", "strategy", "source", "fold", metric])
        for result in results:
            for source, scores in result.scores.items():
                for fold, score in enumerate(scores):
                    row = [result.learner, result.strategy, source, fold]
                    writer.writerow([*row, f"{score:.6f}"])


def draw(results: Sequence[Result], metric: str, path: Path) -> None:
    """Draw the scores: a panel per learner, a row per strategy."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    learners = list(dict.fromkeys(result.learner for result in results))
    size = (7.5, 0.6 + 2.1 * len(learners))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(learners), sharex=True, squeeze=False)[:, 0]
    for ax, learner in zip(axes, learners):
        own = [result for result in results if result.learner == learner]
        for place, result in enumerate(own):
            for source, colour in zip(result.scores, COLOURS):
                _draw_score(ax, result, source, colour, place)
        ax.set_title(learner, loc="left", fontsize=11)
        ax.set_yticks(range(len(own)), [result.strategy for result in own])
        ax.grid(axis="x", alpha=0.3)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.invert_yaxis()
    axes[-1].set_xlabel(metric.replace("_", " "))
    low, _ = axes[0].get_xlim()
    axes[0].set_xlim(left=max(low, LEFT_EDGE))
    figure.legend(*_legend(results), frameon=False, loc="outside right upper",
                  title="tested on")  # fmt: skip
    figure.savefig(path, dpi=150)


def _draw_score(ax: Any, result: Result, source: str, colour: str, place: int) -> None:
    shift = -0.12 if source == "red" else 0.12
    mean, spread = result.mean(source), result.spread(source)
    if mean < LEFT_EDGE:
        edge = LEFT_EDGE + 0.01
        ax.plot(edge, place + shift, marker="<", color=colour)
        ax.annotate(f"{mean:.2f}", (edge, place + shift), (8, 0), color=colour,
                    textcoords="offset points", va="center", fontsize=9)  # fmt: skip
        return
    ax.errorbar(mean, place + shift, xerr=spread, fmt="o", color=colour, capsize=2)


def _legend(results: Sequence[Result]) -> tuple[list[Any], list[str]]:
    from matplotlib.lines import Line2D

    names = list(results[0].scores)
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour)
        for _, colour in zip(names, COLOURS)
    ]
    return handles, [f"{name} wine" for name in names]


def has_matplotlib() -> bool:
    """Tell whether pictures can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison and write it to the screen and to a folder."""
    parser = argparse.ArgumentParser(
        prog="python -m sktandem",
        description="Two datasets, one model: what the red wines, the white wines and "
        "both together are worth on each, by cross-validation. The wines are bundled.",
    )
    parser.add_argument("--task", choices=list(JOBS), default="regression")
    parser.add_argument("--folds", type=int, default=5, help="default: 5")
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    parser.add_argument(
        "--output", type=Path, help="folder for report.txt, scores.csv and scores.png"
    )
    options = parser.parse_args(argv)
    metric = JOBS[options.task].metric
    try:
        if options.output is not None:
            options.output.mkdir(parents=True, exist_ok=True)
        results = _show(options.task, metric, options.folds, options.seed)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    closing = [
        "",
        "Is the other wine worth having?",
        *findings(results),
        "",
        "± is the standard deviation over folds. A difference smaller than that is no",
        "finding; one that shows in every fold may be. With both is the best of a few",
        "ways on these very folds, which flatters it a little.",
    ]
    print("\n".join(closing))
    if options.output is not None:
        text = [_heading(options.task, metric, options.folds), *table(results)]
        _write(results, [*text, *closing], metric, options.output)
    return 0


def _heading(task: str, metric: str, n_folds: int) -> str:
    wine = load_wine_quality(task)
    sizes = {s: int((wine.sample_source == s).sum()) for s in WINES}
    return (
        f"Wine quality, {task}: {sizes['red']:,} red and {sizes['white']:,} white "
        f"wines ({wine.n_duplicates_dropped:,} duplicates dropped).\n"
        f"{metric} on each wine, mean of {n_folds} folds. The strategies see the same "
        "folds."
    )


def _show(task: str, metric: str, n_folds: int, seed: int) -> list[Result]:
    """Print the table row by row while it is being computed."""
    print(_heading(task, metric, n_folds), flush=True)
    results: list[Result] = []
    shown = 0
    for result in compare(task, n_folds, seed):
        results.append(result)
        lines = table(results)
        print("\n".join(lines[shown:]), flush=True)
        shown = len(lines)
    return results


def _write(
    results: Sequence[Result], text: Sequence[str], metric: str, folder: Path
) -> None:
    (folder / "report.txt").write_text("\n".join(text) + "\n", encoding="utf-8")
    write_csv(results, metric, folder / "scores.csv")
    written = ["report.txt", "scores.csv"]
    if has_matplotlib():
        draw(results, metric, folder / "scores.png")
        written.append("scores.png")
    print(f"\nWritten to {folder}: {', '.join(written)}")
    if not has_matplotlib():
        print('For the picture: pip install "sktandem[notebook]"')


if __name__ == "__main__":
    sys.exit(main())
