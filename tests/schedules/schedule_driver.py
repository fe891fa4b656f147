"""A training loop without a model: it takes steps and writes down losses."""

import json
from collections import Counter

import numpy as np

from sktandem.schedules import Check, Sizes
from sktandem.schedules._schedule import Stop, finished

RED_AND_WHITE = Sizes(
    ("red", "white"), (60, 180), (30, 30), max_epochs=8, validated=(True, True)
)


def falling(name, n_steps):
    """Return a loss that falls with each step of its source, to 0.1 or 0.3."""
    return {"red": 0.1}.get(name, 0.3) + float(np.exp(-n_steps[name] / 6))


def train(
    schedule,
    sizes=RED_AND_WHITE,
    n_epochs=1,
    history=None,
    *,
    train_loss=falling,
    valid_loss=falling,
    difficulty=None,
    seed=0,
    heed_stop=False,
):
    """Run some epochs, on from a history, and return the longer history."""
    history = [] if history is None else history
    schedule.check(sizes)
    for _ in range(n_epochs):
        past = finished([*history, {}])
        epoch = len(past)
        seen = Counter(past[-1]["n_steps"] if past else {})
        rows = {
            name: past[-1][f"rows_seen[{name}]"] if past else 0 for name in sizes.names
        }
        row = {"batches": []}
        if difficulty and schedule.difficulty_in(epoch) is not None:
            row |= {f"difficulty[{name}]": difficulty[name] for name in sizes.names}
        history.append(row)
        rng = np.random.default_rng([seed, epoch])
        for step in schedule.plan(sizes, history, rng):
            if isinstance(step, Stop):
                row["stopped"] = True
            elif isinstance(step, Check):
                losses = measured(sizes, seen, valid_loss)
                row.setdefault("checks", []).append(losses)
            else:
                names = [sizes.names[source] for source in step.sources]
                for source, name in zip(step.sources, names):
                    rows[name] += sizes.next_batch(source, rows[name])
                seen.update(names)
                loss = float(np.mean([train_loss(name, seen) for name in names]))
                row["batches"].append({"source": ", ".join(names), "train_loss": loss})
        row["source"] = ", ".join(dict.fromkeys(b["source"] for b in row["batches"]))
        row["n_steps"] = dict(seen)
        row |= {f"rows_seen[{name}]": n for name, n in rows.items()}
        row |= measured(sizes, seen, valid_loss)
        if heed_stop and "stopped" in row:
            break
    return history


def measured(sizes, n_steps, valid_loss):
    losses = [valid_loss(name, n_steps) for name in sizes.names]
    return {f"valid_loss[{name}]": loss for name, loss in zip(sizes.names, losses)} | {
        "valid_loss": float(np.average(losses, weights=sizes.n_rows)),
        "valid_loss_macro": float(np.mean(losses)),
    }


def trained(history):
    """Return the sources of the batches of each epoch."""
    return [[batch["source"] for batch in row["batches"]] for row in history]


def through_json(history):
    return json.loads(json.dumps(history, allow_nan=False))
