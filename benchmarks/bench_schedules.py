"""Which schedule does best for whom, all given the same number of steps?

A default perceptron on two real sets of tables and two made pairs: rules that
conflict, and a large source of mostly noise. The splits are folds: a fifth of each
source and class is tested on, and of the rest a fifth is held out to validate.

An epoch has as many optimizer steps as a pass over all training rows, rounded down
to whole turns, for every schedule. A step of Joint holds a batch of every source, so
it is given twice: once with as many steps, once with as many rows. A plateau may stop
early; the table tells the steps taken. "only its own rows" is a model for each
source, with as many steps each.

Scores are in percent, with the standard deviation over splits. "over shuffled" is
the difference in the macro mean to plain mixing, split by split. The documentation has
the figures of ``--seeds 5 --keep last,best``.
"""

import sys
from pathlib import Path

import numpy as np
import skorch
import torch

sys.path.insert(0, str(Path(__file__).parent))
from _measure import options, report, write_json

from sktandem import SharedNet, table_preprocessor
from sktandem.datasets import (
    load_heart_disease,
    load_wine_quality,
    make_two_sources,
)
from sktandem.model_selection import SourceKFold, score_by_source
from sktandem.nn import default_net
from sktandem.schedules import (
    Bandit,
    BatchAlternation,
    Curriculum,
    EpochAlternation,
    Joint,
    Phases,
    PlateauAlternation,
    SampledAlternation,
    Shuffled,
)

BATCH_SIZE = 64
VALIDATION = 0.2  # the default
OWN = "only its own rows"


def datasets():
    """Return X, y, sample_source, the scaler and the metric, by name."""
    wines = load_wine_quality("classification", return_X_y=True)
    hearts = load_heart_disease(return_X_y=True)
    made = {"n_samples": 4000, "task": "classification", "return_X_y": True}
    conflict = make_two_sources(concept_angle=60, size_ratio=4, random_state=0, **made)
    noise = make_two_sources(noise=(0.2, 2.0), size_ratio=0.25, random_state=0, **made)
    return {
        "wines": (*wines, "standard", "balanced_accuracy"),
        # Of 123 patients in Switzerland 8 are well: too few to balance by.
        "hearts": (*hearts, table_preprocessor(), "accuracy"),
        "conflict": (*conflict, "standard", "accuracy"),
        "noise": (*noise, "standard", "accuracy"),
    }


def schedules(names, n_rows, n_steps, epochs):
    """Return each schedule, an epoch of which has `n_steps`, and its `average`."""
    steps = {"epoch_length": n_steps}
    large = names[int(np.argmax(n_rows))]
    first = max(1, epochs // 4)
    phases = [
        (EpochAlternation([large], **steps), first),
        (BatchAlternation(**steps), epochs - first),
    ]
    plain = {
        "epochs": EpochAlternation(**steps),
        "batches": BatchAlternation(**steps),
        "plateau": PlateauAlternation(**steps),
        "sampled, by size": SampledAlternation(**steps),
        "sampled, equal": SampledAlternation(temperature=float("inf"), **steps),
        "large first, then both": Phases(phases),
        "curriculum": Curriculum(**steps),
        "bandit, loss": Bandit("loss", **steps),
        "bandit, gain": Bandit("gain", **steps),
        "joint, as many steps": Joint(**steps),
        "joint, as many rows": Joint(epoch_length=n_steps // len(names)),
        "shuffled": Shuffled(**steps),
    }
    found = {name: (schedule, None) for name, schedule in plain.items()}
    return {"epochs, averaged": (plain["epochs"], "ema"), **found}


def scores(data, seed, keep, epochs):
    """Return each schedule's scores by source and its steps, on one split."""
    X, y, source, scaler, metric = data
    folds = SourceKFold(5, shuffle=True, random_state=seed // 5)
    train, test = list(folds.split(X, y, sample_source=source))[seed % 5]
    names = sorted(set(source))
    n_rows = [int((source[train] == name).sum()) for name in names]
    n_steps = steps_in_epoch(sum(n_rows), len(names))

    def run(schedule, average, rows, tested):
        model = SharedNet(
            default_net(max_epochs=epochs),
            schedule=schedule,
            batch_size=BATCH_SIZE,
            average=average,
            keep=keep,
            scaler=scaler,
            random_state=seed,
        )
        model.fit(X[rows], y[rows], sample_source=source[rows])
        found = score_by_source(
            model, X[tested], y[tested], sample_source=source[tested], scoring=metric
        )
        return dict(found.by_source), sum(model.history_[:, "train_batch_count"])

    results = {
        name: run(schedule, average, train, test)
        for name, (schedule, average) in schedules(
            names, n_rows, n_steps, epochs
        ).items()
    }
    own, steps = {}, BatchAlternation(epoch_length=n_steps)
    for name in names:  # a model for each
        rows, tested = train[source[train] == name], test[source[test] == name]
        found, taken = run(steps, None, rows, tested)
        own |= found
    return results | {OWN: (own, taken)}


def steps_in_epoch(n_rows, n_sources):
    """Return the steps of a pass over all training rows, in whole turns."""
    n_turns = int(n_rows * (1 - VALIDATION)) // (BATCH_SIZE * n_sources)
    return max(1, n_turns) * n_sources


def table(by_seed):
    """Return a row for each schedule: its scores by source, and their mean."""
    macros = {
        name: np.array([np.mean(list(one[name][0].values())) for one in by_seed])
        for name in by_seed[0]
    }
    rows = []
    for name in by_seed[0]:
        values = [one[name][0] for one in by_seed]
        by_source = {
            source: spread([value[source] for value in values]) for source in values[0]
        }
        steps = [one[name][1] for one in by_seed]
        rows.append(
            {
                "schedule": name,
                "steps": round(float(np.mean(steps))),
                **by_source,
                "macro": spread(macros[name]),
                "over shuffled": spread(macros[name] - macros["shuffled"]),
            }
        )
    return rows


def spread(values):
    sd = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return f"{100 * np.mean(values):.1f} ± {100 * sd:.1f}"


def summary(tables):
    """Return the macro means of all datasets side by side."""
    names = [row["schedule"] for row in next(iter(tables.values()))]
    return [
        {
            "schedule": name,
            **{dataset: rows[i]["macro"] for dataset, rows in tables.items()},
        }
        for i, name in enumerate(names)
    ]


def main():
    given = options(__doc__, seeds=2, epochs=24, keep="best", only="")
    torch.set_num_threads(1)
    versions = f"torch {torch.__version__}, skorch {skorch.__version__}"
    chosen = {
        name: data
        for name, data in datasets().items()
        if not given.only or name == given.only
    }
    written = []
    for keep in given.keep.split(","):
        tables = {}
        for dataset, data in chosen.items():
            epochs, seeds = given.epochs, range(given.seeds)
            rows = tables[dataset] = table(
                [scores(data, seed, keep, epochs) for seed in seeds]
            )
            title = f"{dataset}, {data[-1]}, keep={keep!r}, {epochs} epochs"
            written.append(report(f"{title}, {given.seeds} splits, {versions}", rows))
            print(flush=True)
        title = f"Macro means, keep={keep!r}"
        written.append(report(title, summary(tables)))
        print(flush=True)
    write_json(given.json, *written)


if __name__ == "__main__":
    main()
