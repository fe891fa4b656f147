"""Two languages and two label sets: does one encoder do as well as two?

Banking77 (English, 77 intents) and GermEval-2018 (German, offensive or not),
fine-tuned together under several schedules and each by itself, with equal rows,
epochs and so steps; beside them a frozen encoder with logistic regression and
TF-IDF. Tested on the official test parts; the schedule is chosen on training rows
that nobody trained on.

    python benchmarks/bench_languages.py --checkpoint FOLDER --data FOLDER

The checkpoint is a multilingual encoder, such as intfloat/multilingual-e5-small;
the data are banking77_en.csv.gz (text, label, split), from PolyAI's
task-specific-datasets, and germeval2018_de.csv.gz (text, coarse, fine, split), from
uds-lsv/GermEval-2018-Data. The tweets are offensive in part.

As it stands it took 84 minutes on one core with the instructions for bfloat16 (AMX);
--processes 2, the default, shares the work between two. Without such instructions a
step takes about twice as long (--precision "" for single precision).
"""

import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _measure import options, report, write_json
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline, make_union

FILES = {
    "en": ("banking77_en.csv.gz", "label"),
    "de": ("germeval2018_de.csv.gz", None),
}
TOGETHER = {
    "joint": {"schedule": "joint"},
    "batches": {"schedule": "batches"},
    "shuffled": {"schedule": "shuffled"},
}
N_VALID = 1000
COMMON = {
    "heads": "source",
    "source": "language",
    "text_column": "text",
    "prefix": "query: ",
    "validation_fraction": None,
    "keep": "last",
}


def load(folder, task):
    """Return the training and the test rows of both datasets."""
    parts = []
    for language, (file, label) in FILES.items():
        own = pd.read_csv(Path(folder) / file)
        own["language"], own["label"] = language, own[label or task]
        parts.append(own[["text", "language", "label", "split"]])
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows.split == "train"], rows[rows.split == "test"]


def drawn(train, n_rows, seed):
    """Return rows to train on, the same number of each, and rows to choose by."""
    rng = np.random.default_rng(seed)
    used, spare = [], []
    for _, own in train.groupby("language"):
        order = rng.permutation(len(own))
        n = min(n_rows, len(own) - N_VALID)
        used.append(own.iloc[order[:n]])
        spare.append(own.iloc[order[n : n + N_VALID]])
    return pd.concat(used), pd.concat(spare)


def scored(predicted, rows):
    """Return accuracy and macro F1 of each language in rows."""
    scores = {}
    for language, own in rows.assign(said=predicted).groupby("language"):
        scores[f"accuracy[{language}]"] = accuracy_score(own.label, own.said)
        scores[f"f1[{language}]"] = f1_score(own.label, own.said, average="macro")
    return scores


def fine_tuned(job):
    """Return the scores of one fine-tuning, on the rows to choose by and the test."""
    import torch

    from sktandem.text import FineTuning, SharedTextNet

    torch.set_num_threads(job["threads"])
    train, test = load(job["data"], job["task"])
    used, spare = drawn(train, job["rows"], job["seed"])
    if job["only"]:
        used, spare, test = (p[p.language == job["only"]] for p in (used, spare, test))
    columns = ["text", "language"]
    model = SharedTextNet(
        job["checkpoint"],
        training=FineTuning(mixed_precision=job["precision"]),
        random_state=job["seed"],
        **COMMON,
        **job["settings"],
    )
    start = time.perf_counter()
    model.fit(used[columns], used.label)
    seconds = time.perf_counter() - start
    made = scored(model.predict(test[columns]), test)
    valid = scored(model.predict(spare[columns]), spare)
    n_steps = sum(row["train_batch_count"] for row in model.history_)
    return {**made, "seconds": seconds, "steps": n_steps, "valid": valid}


def frozen(arguments):
    """Return the scores of frozen embeddings and of TF-IDF, with LogisticRegression."""
    from sktandem.text import FineTuning, SharedTextNet

    train, test = load(arguments.data, arguments.task)
    columns, results = ["text", "language"], {}
    reader = SharedTextNet(
        arguments.checkpoint,
        freeze="encoder",
        max_length=arguments.length,
        max_epochs=1,
        training=FineTuning(mixed_precision=arguments.precision or None),
        **COMMON,
    ).fit(train[columns], train.label)
    vectors = {id(rows): reader.transform(rows[columns]) for rows in (train, test)}
    words = {"sublinear_tf": True, "min_df": 2}
    tfidf = make_union(
        TfidfVectorizer(ngram_range=(1, 2), **words),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **words),
    )
    for name in ("frozen + LR", "TF-IDF + LR"):
        said = np.empty(len(test), dtype=object)
        for language in FILES:
            own, asked = train.language == language, test.language == language
            linear = LogisticRegression(C=10, max_iter=2000)
            if name.startswith("frozen"):
                X, X_test = vectors[id(train)][own], vectors[id(test)][asked]
                scale = X.std(axis=0)
                X, X_test = X / scale, X_test / scale
                linear.set_params(C=0.1)
            else:
                linear = make_pipeline(tfidf, linear)
                X, X_test = train.text[own], test.text[asked]
            said[asked.to_numpy()] = linear.fit(X, train.label[own]).predict(X_test)
        results[name] = scored(said, test)
    return results


def table(results, order):
    """Return a row for each way: means over seeds, and what is lost to `alone`."""
    alone = {
        key: value for name in FILES for key, value in results[f"alone: {name}"].items()
    }
    rows = []
    for name in order:
        row = {"way": name}
        for key in ("accuracy[en]", "f1[en]", "accuracy[de]", "f1[de]"):
            values = results[name].get(key)
            row[key] = "-" if values is None else f"{np.mean(values):.3f}"
            both = values is not None and len(np.atleast_1d(values)) > 1
            if both and not name.startswith("alone"):
                gain = np.subtract(values, alone[key])
                row[f"+ {key}"] = f"{gain.mean():+.3f} ± {gain.std(ddof=1):.3f}"
            else:
                row[f"+ {key}"] = "-"
        row["minutes"] = round(np.mean(results[name].get("seconds", 0)) / 60, 1)
        rows.append(row)
    return rows


def main():
    arguments = options(
        __doc__,
        checkpoint="",
        data="",
        task="coarse",
        rows=3000,
        length=64,
        epochs=3,
        seeds=3,
        lr=1e-4,
        precision="bf16",
        processes=2,
        ways=",".join(TOGETHER),
    )
    if not arguments.checkpoint or not arguments.data:
        print("It needs --checkpoint and --data: see --help.", file=sys.stderr)
        sys.exit(2)  # as for arguments that are missing
    settings = {
        "max_length": arguments.length,
        "max_epochs": arguments.epochs,
        "lr": arguments.lr,
    }
    ways = {
        **{f"alone: {name}": {"only": name} for name in FILES},
        **{name: {"settings": TOGETHER[name]} for name in arguments.ways.split(",")},
    }
    jobs = [
        {
            "name": name,
            "seed": seed,
            "only": way.get("only"),
            "settings": settings | way.get("settings", {}),
            "threads": 1,
            **{key: getattr(arguments, key) for key in ("checkpoint", "data", "task")},
            "rows": arguments.rows,
            "precision": arguments.precision or None,
        }
        for seed in range(arguments.seeds)
        for name, way in ways.items()
    ]
    start = time.perf_counter()
    results = {name: {} for name in ways}
    # A process for each core and a thread for each process: no core waits.
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for job, made in zip(jobs, pool.imap(fine_tuned, jobs)):
            print(job["name"], job["seed"], _short(made), flush=True)
            for key, value in made.items():
                results[job["name"]].setdefault(key, []).append(value)
    chosen = max(
        (name for name in ways if not name.startswith("alone")),
        key=lambda name: np.mean(
            [v[f"f1[{s}]"] for v in results[name]["valid"] for s in FILES]
        ),
    )
    results |= frozen(arguments)
    minutes = (time.perf_counter() - start) / 60
    title = (
        f"{arguments.rows} rows of each, {arguments.length} tokens, "
        f"{arguments.epochs} epochs, lr {arguments.lr:g}, {arguments.seeds} seeds, "
        f"{arguments.precision or 'float32'}: {minutes:.0f} minutes"
    )
    order = [*ways, "frozen + LR", "TF-IDF + LR"]
    made = report(title, table(results, order))
    print(f"Chosen on rows that nobody trained on: {chosen}.")
    print("The last two rows use all training rows, 1 run.")
    made |= {"chosen": chosen, "results": results}
    write_json(arguments.json, made)


def _short(made):
    numbers = {key: value for key, value in made.items() if key != "valid"}
    numbers |= {f"valid {key}": value for key, value in made["valid"].items()}
    return {key: round(float(value), 3) for key, value in numbers.items()}


if __name__ == "__main__":
    main()
