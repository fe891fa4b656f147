"""What processes that train one net together do in tests; also by one process alone."""

import io
import os
import pickle
import signal
import warnings
from contextlib import redirect_stdout
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from skorch import NeuralNet, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
)
from skorch.utils import to_numpy
from torch import nn
from torch.utils.data import Dataset

from sktandem import SharedNet, Tandem, stack_sources
from sktandem.model_selection import compare_strategies
from sktandem.nn import default_net, pad_sequences
from sktandem.schedules import (
    Curriculum,
    Joint,
    Phases,
    PlateauAlternation,
    Schedule,
    Step,
)

# Running together --------------------------------------------------------------------


def begin(job, folder, *, n=2, args=()):
    """Start `n` processes that do a job, each as a rank of one group."""
    context = mp.get_context("spawn")
    ranks = [
        context.Process(target=_rank, args=(job, rank, n, str(folder), args))
        for rank in range(n)
    ]
    for process in ranks:
        process.start()
    return ranks


def results(ranks, folder, timeout=400):
    """Return what each rank has returned; raise what one has raised."""
    for process in ranks:
        process.join(timeout)
    try:
        return [
            pickle.loads((Path(folder) / f"result-{rank}").read_bytes())
            for rank in range(len(ranks))
        ]
    finally:
        for process in ranks:
            process.kill()
            process.join()


def together(job, folder, *, n=2, args=()):
    return results(begin(job, folder, n=n, args=args), folder)


def _rank(job, rank, n, folder, args):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=n,
        timeout=timedelta(seconds=180),
    )
    made = job(*args)
    (Path(folder) / f"result-{rank}").write_bytes(pickle.dumps(made))
    dist.destroy_process_group()


# Data and nets -----------------------------------------------------------------------

SIZES = {"few": 7, "many": 1000}


def table(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(sum(SIZES.values()), 5))
    source = np.repeat(list(SIZES), list(SIZES.values()))
    y = X[:, 0] + np.where(source == "few", 1.0, -1.0) * X[:, 1]
    return X, y, source


class Double(nn.Sequential):
    """In double precision, so that sums in another order tell in the 15th digit."""

    def __init__(self, n_features, n_outputs, dropout=0.0):
        layers = nn.Linear(n_features, 8), nn.Tanh(), nn.Dropout(dropout)
        super().__init__(*layers, nn.Linear(8, n_outputs))
        self.double()

    def forward(self, X):
        return super().forward(X.double())


def double_head(width, n_outputs):
    return nn.Linear(width, n_outputs, dtype=torch.float64)


class Rounding(Double):
    """Answers on another rank as another processor would, but far worse."""

    def forward(self, X):
        wrong = 0.0 if self.training else 0.1 * rank()
        return super().forward(X) * (1 + wrong)


def hardness(X, y):
    return X[:, 0] * (1 - 2 * rank())


class OwnHeads(nn.Module):
    """Heads of its own, which the module asks by the source of each row."""

    def __init__(self, n_features, n_outputs_by_source):
        super().__init__()
        self.heads = nn.ModuleList(
            [nn.Linear(n_features, n).double() for n in n_outputs_by_source]
        )

    def forward(self, X, source):
        places, counts = source.unique_consecutive(return_counts=True)
        parts = X.double().split(counts.tolist())
        made = [self.heads[k](x) for k, x in zip(places.tolist(), parts)]
        return made[0] if len(made) == 1 else made


class Tape(Callback):
    """Takes down the gradients of every step, and the losses as they are by then."""

    def initialize(self):
        self.steps_, self.losses_ = [], []
        return self

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        losses = [batch.get("train_loss") for batch in row["batches"]]
        self.losses_.append([losses, row.get("valid_loss"), row.get("checks")])

    def on_grad_computed(self, net, named_parameters, **kwargs):
        grads = [weight.grad for _, weight in named_parameters]
        self.steps_.append([None if g is None else to_numpy(g) for g in grads])

    def __getstate__(self):
        return vars(self)


def fit(schedule="batches", *, numbers=False, X=None, **how):
    """Fit a net to the table, and return what it went through."""
    kind = NeuralNetRegressor if numbers else NeuralNetClassifier
    given = {"module": Double, "optimizer": torch.optim.Adam, "lr": 0.01}
    given |= {} if numbers else {"criterion": nn.CrossEntropyLoss}
    given |= {"max_epochs": 2, "verbose": 0, "callbacks": []} | how.pop("net", {})
    kind = given.pop("kind", kind)
    given["callbacks"] = [("tape", Tape()), *given["callbacks"]]
    if how.get("heads") == "source" and given["module"] is Double:
        how.setdefault("head", double_head)
    how = {"random_state": 0, "batch_size": {"few": 3, "many": 100}} | how
    resume_from = how.pop("resume_from", None)
    rows, y, source = table()
    y = y if numbers else (y > 0).astype(int)
    model = SharedNet(kind(**given), schedule=schedule, **how)
    rows = rows if X is None else X
    return told(model.fit(rows, y, sample_source=source, resume_from=resume_from))


def told(model):
    tape = dict(model.net_.callbacks_).get("tape")
    history = [
        {key: value for key, value in row.items() if key != "dur"}
        for row in model.history_
    ]
    return {
        "weights": [to_numpy(weight) for weight in model.module_.parameters()],
        "steps": [] if tape is None else tape.steps_,
        "losses": [] if tape is None else tape.losses_,
        "history": history,
    }


# That the result is the same ---------------------------------------------------------


class Penalised(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, X=None, training=False):
        loss = super().get_loss(y_pred, y_true, X=X, training=training)
        return loss + 0.01 * sum(w.abs().sum() for w in self.module_.parameters())


class SeveralBatches(NeuralNetClassifier):
    """Three batches to a step, as in the manual of skorch."""

    def get_loss(self, *args, **kwargs):
        return super().get_loss(*args, **kwargs) / 3

    def train_step(self, batch, **params):
        step = self.train_step_single(batch, **params)
        if len(self.history[-1, "batches"]) % 3 == 0:
            self.optimizer_.step()
            self.optimizer_.zero_grad()
        return step


class Sequences(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.x = [
            torch.as_tensor(rng.normal(size=(k, 2)), dtype=torch.float32)
            for k in rng.integers(1, 9, n)
        ]
        self.targets = rng.integers(0, 2, n)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, place):
        return self.x[place], self.targets[place]


class Means(nn.Module):
    def __init__(self, n_outputs=2):
        super().__init__()
        self.out = nn.Linear(2, n_outputs).double()

    def forward(self, X, lengths):
        return self.out(X.double().sum(dim=1) / lengths[:, None])


def shaken(x):
    return x + torch.rand(1)


def fit_sequences(n_workers=0):
    X, y, source = stack_sources({"a": Sequences(9, 0), "b": Sequences(40, 1)})
    net = NeuralNetClassifier(
        Means,
        criterion=nn.CrossEntropyLoss,
        max_epochs=3,
        verbose=0,
        iterator_train__num_workers=n_workers,
        iterator_train__multiprocessing_context="fork",
        callbacks=[("tape", Tape())],
    )
    how = {"scaler": None, "collate": pad_sequences, "augment": shaken}
    model = SharedNet(net, batch_size=4, random_state=0, **how)
    return told(model.fit(X, y, sample_source=source))


def fit_in_parts():
    rows, y, source = table()
    net = NeuralNetClassifier(
        Double, criterion=nn.CrossEntropyLoss, max_epochs=4, verbose=0
    )
    model = SharedNet(net, batch_size=50, random_state=0)
    for part in (slice(None, None, 2), slice(1, None, 2), slice(1, None, 2)):
        given = rows[part], y[part] > 0
        model.partial_fit(*given, sample_source=source[part], epochs=2)
    return told(model)


def fit_texts():
    from sktandem.text import FineTuning, SharedTextNet, small_encoder

    words = ["good", "bad", "fine", "poor", "very", "not"]
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words, rng.integers(1, 7))) for _ in range(60)]
    y = [int("good" in text or "fine" in text) for text in texts]
    source = ["shop"] * 13 + ["film"] * 47
    encoder = small_encoder(texts, hidden_size=8, n_layers=1, random_state=0)
    for layer in encoder[0].modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    model = SharedTextNet(
        encoder,
        heads="source",
        batch_size=5,
        max_epochs=3,
        lr=3e-3,
        dropout=0.0,
        training=FineTuning(gradient_accumulation_steps=3, head_lr=0.01),
        random_state=0,
    )
    return told(model.fit(texts, y, sample_source=source))


ALTERNATIONS = {
    "epochs": "epochs",
    "batches": "batches",
    "plateau": PlateauAlternation(window=2, threshold=0.5),
    "plateau by batch": PlateauAlternation(
        window=3, threshold=0.1, check_every="batch", check_in="train"
    ),
    "sampled": "sampled",
    "curriculum": Curriculum(epochs=2),
    "bandit": "bandit",
    "joint": Joint({"few": 2, "many": 1}, epoch_length="all"),
    "shuffled": "shuffled",
    "phases": Phases([("shuffled", 1), ("joint", 2)]),
}
HEADS = {"one output": {}, "heads": {"heads": "source"}}


LBFGS = {"optimizer": torch.optim.LBFGS, "lr": 0.1, "max_epochs": 1}
LBFGS["optimizer__line_search_fn"] = "strong_wolfe"
ADDS_UP = {"criterion__reduction": "sum", "optimizer": torch.optim.SGD, "lr": 1e-4}
CLIPPED = {"callbacks": [("clip", GradientNormClipping(0.1))]}
BY_SOURCE = {"heads": "source"}
APART = {**BY_SOURCE, "loss_weights": "uncertainty"}
ENDS = {"callbacks": [("ends", EarlyStopping(patience=1))], "max_epochs": 9, "lr": 0.5}

# Fits that must not depend on the number of processes.
FITS = {
    f"{name}, {outputs}": partial(fit, schedule, **how)
    for name, schedule in ALTERNATIONS.items()
    for outputs, how in HEADS.items()
} | {
    "losses apart": partial(fit, **APART),
    "losses apart, joint": partial(fit, "joint", **APART),
    "losses apart, shuffled": partial(fit, "shuffled", **APART),
    "numbers": partial(fit, numbers=True),
    "numbers, heads": partial(fit, "joint", numbers=True, **BY_SOURCE),
    "kinds by source": partial(
        fit,
        "joint",
        **BY_SOURCE,
        task={"few": "regression", "many": "classification"},
        net={"kind": NeuralNet, "criterion": nn.MSELoss},
    ),
    "balance": partial(fit, "shuffled", balance="classes"),
    "balance, heads": partial(fit, "joint", balance="classes", **BY_SOURCE),
    "weights of losses": partial(fit, "joint", loss_weights="dwa", **BY_SOURCE),
    "ema": partial(fit, average="ema"),
    "swa": partial(fit, "joint", average="swa", **BY_SOURCE),
    "own heads": partial(fit, "joint", **BY_SOURCE, net={"module": OwnHeads}),
    "batches of one": partial(fit, Joint(epoch_length=9), batch_size=1),
    "lbfgs": partial(fit, "shuffled", batch_size=300, net=LBFGS),
    "clipped": partial(fit, net=CLIPPED),
    "early end": partial(fit, net=ENDS),
    "a penalty": partial(fit, "joint", **BY_SOURCE, net={"kind": Penalised}),
    "several batches": partial(fit, net={"kind": SeveralBatches}),
    "validation": partial(fit, "plateau", net={"module": Rounding}),
    "validation by batch": partial(
        fit, ALTERNATIONS["plateau by batch"], net={"module": Rounding}
    ),
    "difficulty": partial(fit, Curriculum(difficulty=hardness, epochs=3)),
    "a sum": partial(fit, net=ADDS_UP),
    "a sum, balance": partial(fit, "joint", balance="classes", net=ADDS_UP),
    "sequences": fit_sequences,
    "sequences, workers": partial(fit_sequences, 2),
    "in parts": fit_in_parts,
    "texts": fit_texts,
}


def fits(names):
    return {name: FITS[name]() for name in names}


# That the ranks agree ----------------------------------------------------------------


def rank():
    return dist.get_rank() if dist.is_initialized() else 0


def fit_unseeded():
    """No seed, and a module that each rank has made by itself."""
    torch.manual_seed(rank())
    module = Double(5, 2)
    return fit(random_state=None, net={"module": module})


def fit_dropped(seed=0):
    return fit("joint", net={"module__dropout": 0.5}, random_state=seed)


def small_search():
    """Fit many nets, which one process would train as one."""
    X, y, source = table()
    X, y, source = X[:60], y[:60], np.repeat(["a", "b"], 30)
    net = SharedNet(default_net("regression", max_epochs=2), random_state=0)
    how = {"random_state": 0, "progress": False, "n_repeats": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rows so few
        compared = compare_strategies(net, X, y, sample_source=source, **how)
        tandem = Tandem(net, random_state=0).fit(X, y, sample_source=source)
    scores = compared.to_frame()["loss"].to_numpy()
    return {"scores": scores, "tandem": tandem.predict(X, sample_source=source)}


def agree(folder):
    """Fit in ways of which each rank has something of its own."""
    folder, made = Path(folder), {}
    made["unseeded"] = fit_unseeded()
    made["dropped"], made["dropped again"] = fit_dropped(), fit_dropped()
    made["search"] = small_search()
    # Each rank has a folder of its own, and only the first writes there.
    own = folder / f"of-{rank()}"
    cp = Checkpoint(monitor=None, dirname=str(own))
    shown = io.StringIO()
    with redirect_stdout(shown):
        logged = {"callbacks": [("cp", cp)], "verbose": 1, "max_epochs": 2}
        made["half"] = fit(net=logged)
    made["shown"] = shown.getvalue()
    made["written"] = sorted(path.name for path in own.iterdir())
    made["whole"] = fit(net={"max_epochs": 5})
    made["resumed"] = fit(net={"max_epochs": 5}, resume_from=folder / "of-0")
    best = Checkpoint(dirname=str(folder / f"best-{rank()}"), load_best=True)
    made["best"] = fit(net={"callbacks": [("cp", best)], "max_epochs": 5, "lr": 0.5})
    made["forked"] = _forked()
    return made


def _forked():
    """Fit in a process that a rank has forked: it has no part in the group."""
    context = mp.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=lambda: queue.put(fit()["weights"][0]))
    process.start()
    made = queue.get()
    process.join()
    return made


# What is refused ---------------------------------------------------------------------


class Normalised(nn.Sequential):
    def __init__(self, n_features, n_outputs):
        super().__init__(nn.BatchNorm1d(n_features), nn.Linear(n_features, n_outputs))


class Drifting(nn.Linear):
    """A layer with a statistic of the rows it has seen."""

    def __init__(self, n_features, n_outputs):
        super().__init__(n_features, n_outputs)
        self.register_buffer("mean", torch.zeros(n_features))

    def forward(self, X):
        if self.training:
            self.mean += X.mean(dim=0).detach()
        return super().forward(X)


class Plain(nn.Linear):
    def __init__(self, n_features, n_outputs):
        super().__init__(n_features, n_outputs)


class Pairs(nn.Module):
    """A loss of pairs of rows."""

    def forward(self, y_pred, y_true):
        wrong = nn.functional.cross_entropy(y_pred, y_true, reduction="none")
        return (wrong[:, None] * wrong).mean()


class AllOnItsOwn(NeuralNetClassifier):
    """A step that goes past loss.backward()."""

    def train_step(self, batch, **params):
        self._set_training(True)
        X, y = batch
        y_pred = self.infer(X)
        loss = self.get_loss(y_pred, y, X=X, training=True)
        weights = [*self.module_.parameters()]
        with torch.no_grad():
            for weight, grad in zip(weights, torch.autograd.grad(loss, weights)):
                weight -= 0.1 * grad
        return {"loss": loss, "y_pred": y_pred}


class HalfBatches(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, X=None, training=False):
        return super().get_loss(y_pred, y_true, X=X, training=training)

    def train_step_single(self, batch, **params):
        X, y = batch
        return super().train_step_single((X[:1], y[:1]), **params)


class Unseeded(Schedule):
    def plan(self, sizes, history, rng):
        for _ in range(5):
            yield Step((rank(),))


def in_a_thread():
    from joblib import parallel_config
    from sklearn.model_selection import cross_val_score

    X, y, _ = table()
    net = NeuralNetClassifier(Plain, criterion=nn.CrossEntropyLoss, verbose=0)
    with parallel_config(backend="threading"):
        model = SharedNet(net, schedule="shuffled")
        cross_val_score(model, X, y > 0, n_jobs=2, error_score="raise")


def wrapped():
    module = nn.parallel.DistributedDataParallel(Plain(5, 2))
    fit(net={"module": module})


REFUSED = {
    "batch norm": lambda: fit(net={"module": Normalised}),
    "wrapper": wrapped,
    "statistic": lambda: fit(net={"module": Drifting}),
    "weights of classes": lambda: fit(
        net={"module": Plain, "criterion__weight": torch.tensor([1.0, 3.0])}
    ),
    "left-out rows": lambda: fit(
        net={"module": Plain, "criterion__ignore_index": 1}, heads="source"
    ),
    "pairs": lambda: fit(net={"criterion": Pairs}),
    "pairs, heads": lambda: fit("joint", net={"criterion": Pairs}, heads="source"),
    "own step": lambda: fit(net={"kind": AllOnItsOwn, "module": Plain}),
    "part of a batch": lambda: fit(net={"kind": HalfBatches}, batch_size=10),
    "schedule": lambda: fit(Unseeded()),
    "score": lambda: fit(
        net={"callbacks": [("acc", EpochScoring("accuracy", on_train=True))]}
    ),
    "thread": in_a_thread,
    "batch size": lambda: fit(batch_size=10 + rank()),
    "rate": lambda: fit(net={"lr": 0.1 * (rank() + 1)}),
    "rows": lambda: fit(X=table(seed=rank())[0]),
}


def refusals():
    """Return what each fit is refused with."""
    made = {}
    for name, job in REFUSED.items():
        try:
            job()
        except Exception as error:
            made[name] = f"{type(error).__name__}: {error}"
        else:
            made[name] = "fitted"
    made["fit"] = fit()["history"]  # the group is as good as before
    return made


# What happens when one of them ends --------------------------------------------------


class Ends(Callback):
    """Ends one rank in the middle of an epoch."""

    def __init__(self, how):
        self.how = how

    def on_batch_end(self, net, training=False, **kwargs):
        if rank() == 1 and len(net.history[-1]["batches"]) == 3:
            if self.how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError("no such file")


def until_one_ends(how):
    """Return the error of this rank, and what its model has."""
    X, y, source = table()
    callbacks = [("ends", Ends(how))]
    net = NeuralNetClassifier(
        Plain, criterion=nn.CrossEntropyLoss, verbose=0, callbacks=callbacks
    )
    model = SharedNet(net, random_state=0)
    try:
        model.fit(X, y > 0, sample_source=source)
    except Exception as error:
        if rank() == 1:
            raise
        told = f"{type(error).__name__}: {error}"
        return told, sorted(vars(model))


def one_fails_and_all_go_on():
    """Return the error of this rank, kept meanwhile, and the history of another fit."""
    try:
        fit(net={"callbacks": [("ends", Ends("fails"))]})
    except Exception as error:
        return f"{type(error).__name__}: {error}", fit()["history"]
