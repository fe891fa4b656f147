"""All that the package knows of the library transformers, which loads on first use."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any

from torch import nn

from sktandem.exceptions import SourceError

__all__ = [
    "check_checkpoint",
    "embeddings_of",
    "layers_of",
    "load_encoder",
    "load_tokenizer",
    "named",
    "quietly",
]

HUB_TIMEOUT = 5  # seconds to learn whether the hub can be reached
ONE_AT_A_TIME = RLock()


def transformers() -> ModuleType:
    """Return the library."""
    import transformers

    return transformers


def check_checkpoint(checkpoint: Any) -> None:
    """Refuse what is neither a name, nor a folder, nor a model and its tokenizer."""
    if isinstance(checkpoint, str | os.PathLike):
        if _folder_of(checkpoint) is None and not _is_known(os.fspath(checkpoint)):
            ask_hub(os.fspath(checkpoint))
        return
    got = type(checkpoint).__name__
    if isinstance(checkpoint, tuple | list):
        got = f"({', '.join(type(part).__name__ for part in checkpoint)})"
    if isinstance(checkpoint, tuple | list) and len(checkpoint) == 2:
        model, tokenizer = checkpoint
        encodes = isinstance(model, nn.Module) and hasattr(model, "config")
        if encodes and callable(tokenizer) and not isinstance(tokenizer, nn.Module):
            return
    raise SourceError(
        "checkpoint must be a folder, a name on the Hugging Face hub, or a loaded "
        f"transformers (model, tokenizer), got {got}."
    )


def _folder_of(checkpoint: Any) -> str | None:
    """Return the folder of a checkpoint; None if it can only be a name on the hub."""
    name = os.fspath(checkpoint)
    path = Path(checkpoint).expanduser()
    if name and path.is_dir():
        if not (path / "config.json").is_file():
            raise SourceError(
                f"checkpoint={name!r} is a folder without a config.json, which "
                "save_pretrained of a transformers model writes. A folder of this "
                "package is opened by from_pretrained of the estimator."
            )
        return str(path)
    folder_like = not isinstance(checkpoint, str) or name.count("/") > 1
    if folder_like or name.startswith(("/", ".", "~")) or "\\" in name or not name:
        raise SourceError(
            f"checkpoint={name!r} is not there: no such folder. Give the folder that "
            "save_pretrained of a transformers model wrote, or a name on the hub, "
            "such as 'intfloat/multilingual-e5-small'."
        )
    return None


def _is_known(name: str) -> bool:
    """Tell whether something of a model of the hub is on this machine."""
    import huggingface_hub
    from huggingface_hub.utils import HFValidationError

    try:
        found = huggingface_hub.try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        return False
    return isinstance(found, str)


def ask_hub(name: str) -> None:
    """Raise if the hub does not show a model, or cannot be asked.

    The library asks time and again for most of a minute before it gives up;
    here it is asked once.
    """
    import huggingface_hub
    from huggingface_hub.utils import HFValidationError, RepositoryNotFoundError

    try:
        huggingface_hub.HfApi().model_info(name, timeout=HUB_TIMEOUT)
    except (HFValidationError, RepositoryNotFoundError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SourceError(
            f"checkpoint={name!r} is neither a folder here nor a model that the hub "
            f"shows: {reason} Is the name spelt as it is there?"
        ) from None
    except Exception as error:  # of whichever library stands behind the hub's
        raise SourceError(
            f"checkpoint={name!r} is neither a folder here nor wholly among the models "
            f"downloaded before, and the hub cannot be asked for it: {error}. Is it "
            "spelt as it is there?"
        ) from None


@contextmanager
def quietly() -> Iterator[None]:
    """Keep the library's progress bars and reports to itself in the block."""
    import huggingface_hub.utils as hub

    logging = transformers().utils.logging
    with ONE_AT_A_TIME:  # or one thread would keep what another has set
        level, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
        hidden_on_hub = hub.are_progress_bars_disabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if shown:
                logging.enable_progress_bar()  # and the hub's with it
            if hidden_on_hub:
                hub.disable_progress_bars()


def load_tokenizer(checkpoint: Any) -> Any:
    """Return the tokenizer of a checkpoint, its own copy if it was given loaded."""
    if not isinstance(checkpoint, str | os.PathLike):
        tokenizer = copy.deepcopy(checkpoint[1])
    else:
        tokenizer = _loaded(
            "tokenizer", transformers().AutoTokenizer.from_pretrained, checkpoint
        )
    if len(tokenizer) <= len(set(getattr(tokenizer, "all_special_tokens", ()))):
        raise SourceError(
            f"The tokenizer of {named(checkpoint)} knows no words: its files are not "
            "beside the encoder's. save_pretrained of the tokenizer writes them."
        )
    if getattr(tokenizer, "pad_token_id", None) is None:
        raise SourceError(
            f"The tokenizer of {named(checkpoint)} has no padding token, by which "
            "texts of one batch are brought to one length. Set one that the encoder "
            "knows, such as tokenizer.pad_token = tokenizer.eos_token, and give "
            "checkpoint=(model, tokenizer)."
        )
    return tokenizer


def load_encoder(checkpoint: Any) -> tuple[nn.Module, list[str]]:
    """Return the encoder in single precision, and the names of weights it did not have.

    An encoder that was given loaded is copied, never trained in place.
    """
    if not isinstance(checkpoint, str | os.PathLike):
        model = checkpoint[0]
        model = copy.deepcopy(getattr(model, "base_model", model))
        missing: list[str] = []
    else:
        model, report = _loaded(
            "encoder", _encoder_from, checkpoint, output_loading_info=True
        )
        missing = sorted(report["missing_keys"])
    decodes = getattr(model, "decoder", None) is not None
    if decodes and getattr(model.config, "is_encoder_decoder", False):
        raise SourceError(
            f"{type(model).__name__} of {named(checkpoint)} is an encoder-decoder "
            "model. Give its encoder, checkpoint=(model.get_encoder(), tokenizer), or "
            "an encoder such as BERT."
        )
    return model.float().cpu(), missing


def _loaded(what: str, load: Any, checkpoint: Any, **settings: Any) -> Any:
    """Load a part of a checkpoint: from this machine, or else from the hub."""
    folder, name = _folder_of(checkpoint), os.fspath(checkpoint)
    settings["trust_remote_code"] = False  # else the library asks on the terminal
    if folder is None:
        try:
            with quietly():
                return load(name, local_files_only=True, **settings)
        except Exception as error:
            _ask_again(what, name, error)
    try:
        with quietly():
            here = folder is not None
            return load(folder or name, local_files_only=here, **settings)
    except Exception as error:  # a file that is missing, torn or of another kind
        raise _not_loaded(what, name, error) from error


def _ask_again(what: str, name: str, error: Exception) -> None:
    """Ask the hub for what could not be loaded here, wholly or at all."""
    try:
        ask_hub(name)
    except SourceError:
        if isinstance(error, OSError):  # it is not here
            raise
        raise _not_loaded(what, name, error) from error


def _encoder_from(place: str, **settings: Any) -> Any:
    """Load an encoder, which may be a half of what AutoModel takes it for."""
    library = transformers()
    whence = {key: settings[key] for key in ("local_files_only", "trust_remote_code")}
    config = library.AutoConfig.from_pretrained(place, **whence)
    name = (getattr(config, "architectures", None) or [""])[0]
    half = name.endswith("EncoderModel") and hasattr(library, name)
    maker = getattr(library, name) if half else library.AutoModel
    return maker.from_pretrained(place, **settings)


def _not_loaded(what: str, name: str, error: Exception) -> SourceError:
    return SourceError(
        f"The {what} of checkpoint={name!r} cannot be loaded: {error}\nWhat needs "
        "settings of its own, or runs code of its own, can be loaded by you and given "
        "as checkpoint=(model, tokenizer)."
    )


def named(checkpoint: Any) -> str:
    """Return a checkpoint in few words."""
    if isinstance(checkpoint, str | os.PathLike):
        return repr(os.fspath(checkpoint))
    model, tokenizer = checkpoint
    return f"({type(model).__name__}, {type(tokenizer).__name__})"


def embeddings_of(model: Any) -> nn.Module:
    """Return what stands before the first layer of an encoder."""
    found = getattr(model, "embeddings", None)
    return found if isinstance(found, nn.Module) else model.get_input_embeddings()


def layers_of(model: Any) -> list[nn.Module]:
    """Return the layers of an encoder, from the first to the last."""
    n_layers = getattr(model.config, "num_hidden_layers", None)
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == n_layers:
            return list(module)
    raise SourceError(
        f"{type(model).__name__} shows no list of its {n_layers} layers, so that a "
        "number of them cannot be frozen. Use freeze='embeddings', 'encoder' or None."
    )
