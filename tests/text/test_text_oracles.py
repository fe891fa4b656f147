"""Text models against transformers' own forward pass, and the loops they replace."""

import copy

import numpy as np
import pytest
import torch
import transformers
from skorch.callbacks import Callback
from small_texts import EITHER_HEADS, WORDS, distilbert, roberta, tiny
from torch import nn

from sktandem.text import FineTuning, SharedTextNet

pytestmark = pytest.mark.slow

SIZES = {"de": 12, "en": 24}
N_CLASSES = {"de": 3, "en": 4}


def texts_of(n_texts, rng, longest=12):
    words = WORDS.split()
    lengths = rng.integers(1, longest, n_texts)
    return [" ".join(rng.choice(words, n)) for n in lengths]


def two_corpora(n_classes=N_CLASSES, seed=0):
    rng = np.random.default_rng(seed)
    texts = texts_of(sum(SIZES.values()), rng)
    sample_source = np.repeat(list(SIZES), list(SIZES.values()))
    each = np.repeat([n_classes[name] for name in SIZES], list(SIZES.values()))
    y = np.arange(len(texts)) % each
    return {"X": texts, "y": y, "sample_source": sample_source}


def still_encoder():
    """Return an encoder without dropout, whose loss is a function of its weights."""
    model, tokenizer = tiny()
    return without_dropout(model), tokenizer


def without_dropout(model):
    config = model.config
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout"):
        if hasattr(config, name):
            setattr(config, name, 0.0)
    if hasattr(config, "attention_dropout"):
        config.attention_dropout = 0.0
    torch.manual_seed(0)
    return type(model)(config)


class Tape(Callback):
    """Takes down the first weights, the batches in their order and the gradients."""

    def initialize(self):
        self.batches_, self.start_, self.gradients_ = [], None, []
        return self

    def on_epoch_begin(self, net, **kwargs):
        if self.start_ is None:
            weights = net.module_.state_dict().items()
            self.start_ = {key: value.clone() for key, value in weights}

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            X, y = batch
            tokens, source = (X["X"], X["source"]) if isinstance(X, dict) else (X, None)
            parts = [rows for _, rows, _ in batch.parts or ()]
            self.batches_.append((tokens.clone(), source, y.clone(), parts))

    def on_grad_computed(self, net, named_parameters, training=False, **kwargs):
        if training and not self.gradients_:
            self.gradients_ = {
                name: weight.grad.clone()
                for name, weight in named_parameters
                if weight.grad is not None
            }


def recorded(model):
    return dict(model.net_.callbacks_)["Tape"]


# One batch -----------------------------------------------------------------------


def one_batch(model, tokenizer, pooling):
    """Return a model after its first batch, at a rate of 0, and what was recorded."""
    rng = np.random.default_rng(1)
    fitted = SharedTextNet(
        (model, tokenizer),
        schedule="shuffled",  # which asks for no turns
        pooling=pooling,
        freeze=None,
        dropout=0.0,
        batch_size=-1,
        max_epochs=1,
        validation_fraction=None,
        training=FineTuning(max_grad_norm=None, callbacks=[Tape()]),
        random_state=0,
        heads="source",
    )
    texts = texts_of(10, rng)
    return fitted.fit(texts, np.arange(10) % 3), recorded(fitted)


def input_of(tokens, pad_token_id):
    own = tokens >= 0
    return tokens.masked_fill(~own, pad_token_id), own.long()


def assert_same_gradients(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-5, atol=1e-6)


def test_a_batch_is_that_of_transformers_own_sequence_classification():
    model, tokenizer = still_encoder()

    fitted, tape = one_batch(model, tokenizer, "pooler")

    config = copy.deepcopy(model.config)
    config.num_labels, config.classifier_dropout = 3, 0.0
    theirs = transformers.BertForSequenceClassification(config)
    names = {"trunk.model.": "bert.", "heads.0.": "classifier."}

    def renamed(name):
        prefix = next(prefix for prefix in names if name.startswith(prefix))
        return names[prefix] + name.removeprefix(prefix)

    start = {renamed(name): value for name, value in tape.start_.items()}
    theirs.load_state_dict(start)
    ((tokens, _, y, _),) = tape.batches_
    assert len(set((tokens >= 0).sum(dim=1).tolist())) > 3  # of several lengths
    ids, mask = input_of(tokens, tokenizer.pad_token_id)
    output = theirs.train()(input_ids=ids, attention_mask=mask, labels=y)
    output.loss.backward()

    assert fitted.history_[0]["train_loss"] == pytest.approx(output.loss.item(), 1e-5)
    ours = {renamed(name): value for name, value in tape.gradients_.items()}
    given = {name: weight.grad for name, weight in theirs.named_parameters()}
    assert_same_gradients(ours, given)


FAMILIES = {"bert": None, "distilbert": distilbert, "roberta": roberta}


def of_family(family):
    model, tokenizer = still_encoder()
    if family != "bert":
        model = without_dropout(FAMILIES[family](len(tokenizer)))
    return model, tokenizer


def pooled(hidden, mask, pooling):
    rows = [vectors[: int(n)] for vectors, n in zip(hidden, mask.sum(dim=1))]
    one = {
        "mean": lambda own: own.mean(dim=0),
        "cls": lambda own: own[0],
        "max": lambda own: own.max(dim=0).values,
    }
    return torch.stack([one[pooling](own) for own in rows])


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_is_that_of_the_encoder_pooled_by_hand(family, pooling):
    model, tokenizer = of_family(family)

    fitted, tape = one_batch(model, tokenizer, pooling)

    head = nn.Linear(16, 3)
    head.load_state_dict({n: tape.start_[f"heads.0.{n}"] for n in ("weight", "bias")})
    ((tokens, _, y, _),) = tape.batches_
    ids, mask = input_of(tokens, tokenizer.pad_token_id)
    hidden = model.train()(input_ids=ids, attention_mask=mask).last_hidden_state
    loss = nn.functional.cross_entropy(head(pooled(hidden, mask, pooling)), y)
    loss.backward()

    assert fitted.history_[0]["train_loss"] == pytest.approx(loss.item(), 1e-5)
    named = [*model.named_parameters(prefix="trunk.model")]
    named += head.named_parameters(prefix="heads.0")
    given = {name: w.grad for name, w in named if w.grad is not None}
    assert_same_gradients(tape.gradients_, given)


def test_at_the_first_step_of_a_warm_up_nothing_moves():
    fitted, tape = one_batch(*still_encoder(), "mean")

    for name, weight in fitted.module_.state_dict().items():
        assert torch.equal(weight, tape.start_[name])


# Whole fits ----------------------------------------------------------------------

# A rate by the batch goes ahead of an optimizer that waits for several.
goes_ahead = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")


class ByHand(nn.Module):
    """The encoder and its linear heads, as one would write it."""

    def __init__(self, model, n_outputs, pad_token_id, start):
        super().__init__()
        self.model, self.pad_token_id = model, pad_token_id
        self.heads = nn.ModuleList([nn.Linear(16, n) for n in n_outputs])
        names = {"trunk.model.": "model.", "head.": "heads.0."}
        own = {}
        for name, value in start.items():
            for theirs, mine in names.items():
                if name.startswith(theirs):
                    name = mine + name.removeprefix(theirs)
            own[name] = value
        self.load_state_dict(own)

    def forward(self, tokens, place):
        ids, mask = input_of(tokens, self.pad_token_id)
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        mean = (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1)[:, None]
        return self.heads[place](mean)


def frozen_of(model, freeze):
    parts = {
        None: [],
        "embeddings": [model.embeddings],
        1: [model.embeddings, model.encoder.layer[0]],
        "encoder": [model],
    }
    return [w for part in parts[freeze] for w in part.parameters()]


def grouped(module, lr, head_lr, weight_decay):
    """Return the weights as the fine-tuning scripts of transformers group them."""
    groups = []
    for part, rate in ((module.model, lr), (module.heads, head_lr)):
        learned = [w for w in part.parameters() if w.requires_grad]
        for matrices, decay in ((True, weight_decay), (False, 0.0)):
            own = [w for w in learned if (w.ndim > 1) == matrices]
            groups.append({"params": own, "lr": rate, "weight_decay": decay})
    return [group for group in groups if group["params"]]


def loss_by_hand(module, batch, mixed, shared):
    tokens, source, y, parts = batch
    if not parts:
        place = 0 if shared else int(source[0])
        return nn.functional.cross_entropy(module(tokens, place), y)
    places = [0] * len(parts) if shared else [int(source[rows][0]) for rows in parts]
    losses = [
        nn.functional.cross_entropy(module(tokens[rows], place), y[rows])
        for rows, place in zip(parts, places)
    ]
    sizes = [len(y[rows]) for rows in parts]
    counts = [n / len(y) for n in sizes] if mixed else [1.0] * len(parts)
    return sum(count * loss for count, loss in zip(counts, losses))


def fit_by_hand(module, tape, settings, *, mixed, shared):
    warm, accumulated = (
        settings["warmup_ratio"],
        settings["gradient_accumulation_steps"],
    )
    optimizer = torch.optim.AdamW(
        grouped(module, settings["lr"], settings["head_lr"], settings["weight_decay"])
    )
    n_steps = len(tape.batches_)
    assert warm * n_steps == int(warm * n_steps)
    rate = transformers.get_linear_schedule_with_warmup(
        optimizer, int(warm * n_steps), n_steps
    )
    for step, batch in enumerate(tape.batches_):
        (loss_by_hand(module, batch, mixed, shared) / accumulated).backward()
        if (step + 1) % accumulated == 0:
            if settings["max_grad_norm"] is not None:
                learned = [w for w in module.parameters() if w.requires_grad]
                nn.utils.clip_grad_norm_(learned, settings["max_grad_norm"])
            optimizer.step()
            optimizer.zero_grad()
        rate.step()


SETTINGS = {
    "freeze": "embeddings",
    "lr": 1e-3,
    "head_lr": 5e-3,
    "weight_decay": 0.1,
    "warmup_ratio": 1 / 3,
    "max_grad_norm": 0.5,
    "gradient_accumulation_steps": 1,
    "max_epochs": 3,
}
# The gradient of a key's bias is 0 but for rounding, which Adam makes steps of.
ROUNDING = "attention.self.key.bias"


def taped(settings):
    """Return settings as a net takes them, those of its training in a record."""
    tuning, of_net = FineTuning(callbacks=[Tape()]), {}
    for name, value in settings.items():
        if hasattr(tuning, name):
            tuning.set_params(**{name: value})
        else:
            of_net[name] = value
    return {"training": tuning, **of_net}


def assert_the_loop_by_hand(heads, schedule, **changes):
    settings = SETTINGS | changes
    model, tokenizer = still_encoder()
    shared = heads == "shared"
    n_classes = dict.fromkeys(SIZES, 3) if shared else N_CLASSES
    fitted = SharedTextNet(
        (model, tokenizer),
        heads=heads,
        schedule=schedule,
        batch_size=4,
        dropout=0.0,
        validation_fraction=None,
        keep="last",
        random_state=0,
        **taped(settings),
    ).fit(**two_corpora(n_classes))
    tape = recorded(fitted)

    n_outputs = [3] if shared else list(N_CLASSES.values())
    by_hand = ByHand(model, n_outputs, tokenizer.pad_token_id, tape.start_)
    for weight in frozen_of(model, settings["freeze"]):
        weight.requires_grad_(False)
    fit_by_hand(by_hand, tape, settings, mixed=schedule == "shuffled", shared=shared)

    theirs, n_moved = by_hand.state_dict(), 0
    for name, weight in fitted.module_.state_dict().items():
        own = name.removeprefix("trunk.").replace("head.", "heads.0.")
        if ROUNDING in own or own.startswith("model.pooler"):
            continue
        torch.testing.assert_close(weight, theirs[own], rtol=0, atol=1e-5)
        n_moved += int((weight - tape.start_[name]).abs().max() > 1e-3)
    assert n_moved >= 4


@pytest.mark.parametrize("schedule", ["joint", "batches", "shuffled"])
@EITHER_HEADS
def test_weights_are_those_of_the_loop_by_hand(heads, schedule):
    assert_the_loop_by_hand(heads, schedule)


@pytest.mark.parametrize("freeze", [None, 1])
@pytest.mark.parametrize("schedule", ["joint", "batches"])
def test_what_is_frozen_takes_no_part_in_the_loop_by_hand(schedule, freeze):
    assert_the_loop_by_hand("source", schedule, freeze=freeze)


@goes_ahead
@EITHER_HEADS
@pytest.mark.parametrize("schedule", ["joint", "batches", "shuffled"])
def test_three_batches_make_one_step_of_the_loop_by_hand(heads, schedule):
    assert_the_loop_by_hand(heads, schedule, gradient_accumulation_steps=3)


@goes_ahead
@pytest.mark.parametrize("max_grad_norm", [None, 0.05])
def test_gradients_are_clipped_as_in_the_loop_by_hand(max_grad_norm):
    changes = {"max_grad_norm": max_grad_norm, "gradient_accumulation_steps": 3}
    assert_the_loop_by_hand("source", "joint", **changes)


def test_without_a_warm_up_the_rate_falls_from_the_first_step():
    assert_the_loop_by_hand("source", "joint", warmup_ratio=0.0)


class HeadsByHand(nn.Module):
    """Linear heads on vectors that never change."""

    def __init__(self, start):
        super().__init__()
        self.model = nn.Identity()
        self.heads = nn.ModuleList([nn.Linear(16, n) for n in N_CLASSES.values()])
        self.load_state_dict(start)

    def forward(self, vectors, place):
        return self.heads[place](vectors)


@pytest.mark.parametrize("schedule", ["joint", "batches", "shuffled"])
def test_heads_of_a_frozen_encoder_are_those_of_the_loop_by_hand(schedule):
    model, tokenizer = still_encoder()
    settings = SETTINGS | {"freeze": "encoder"}
    fitted = SharedTextNet(
        (model, tokenizer),
        schedule=schedule,
        batch_size=4,
        dropout=0.0,
        validation_fraction=None,
        keep="last",
        random_state=0,
        **taped(settings),
        heads="source",
    ).fit(**two_corpora())
    tape = recorded(fitted)

    by_hand = HeadsByHand(tape.start_)
    fit_by_hand(by_hand, tape, settings, mixed=schedule == "shuffled", shared=False)

    for name, weight in fitted.module_.state_dict().items():
        torch.testing.assert_close(
            weight, by_hand.state_dict()[name], rtol=0, atol=1e-5
        )
        assert (weight - tape.start_[name]).abs().max() > 1e-3


def test_an_epoch_reads_every_text_of_the_longest_source_once():
    fitted = SharedTextNet(
        still_encoder(),
        batch_size=4,
        validation_fraction=None,
        max_epochs=1,
        training=FineTuning(callbacks=[Tape()]),
        random_state=0,
        heads="source",
    )
    texts, _, sample_source = two_corpora().values()
    fitted.fit(**two_corpora())

    read = [
        tuple(row[row >= 0].tolist())
        for tokens, source, _, _ in recorded(fitted).batches_
        for row in tokens[source == 1]
    ]
    own = [text for text, name in zip(texts, sample_source) if name == "en"]
    assert sorted(read) == sorted(
        tuple(fitted.features_.tokenizer(text)["input_ids"]) for text in own
    )
