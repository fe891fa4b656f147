"""Checkpoints that are whole: written aside, sealed with a fingerprint, renamed."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from skorch import NeuralNet
from skorch.callbacks import Checkpoint

from sktandem._settings import is_number
from sktandem._telling import warn
from sktandem.data._lazy import LazyTable
from sktandem.data._tables import is_frame, take_column

__all__ = ["SEAL", "digest_of", "found", "in_words", "learns_by", "sealed"]

SEAL = "seal.json"
ASIDE = ".new"  # behind the name of a file that is being written


@contextmanager
def sealed(net: NeuralNet, identity: Any) -> Iterator[None]:
    """Let the Checkpoints of a net write all of their files or none, in the block.

    `identity` is asked for what a fit that goes on must have in common with this one.
    """
    # A subclass that saves in a way of its own does so, and nothing resumes from it.
    own = [
        callback
        for _, callback in net.callbacks_
        if isinstance(callback, Checkpoint)
        and type(callback).save_model is Checkpoint.save_model
    ]
    # Asked for where it is written only: it is a pass over X.
    told = identity() if own else {}
    for callback in own:
        callback.save_model = Saves(callback, told)
    try:
        yield
    finally:
        for callback in own:
            del callback.save_model


@dataclass(frozen=True)
class Saves:
    """What stands in for `save_model` of a Checkpoint while its net trains.

    skorch writes one file over another, so that a fit killed in between leaves the
    weights of one epoch beside the history of another, and it passes over an error.
    Here all files are written aside first. The seal names their fingerprints: when it
    takes its place, the checkpoint is the new one, whichever of the other files have
    followed it yet.
    """

    checkpoint: Checkpoint
    identity: Mapping[str, Any]

    def __call__(self, net: NeuralNet) -> None:
        """Write the files, or warn and leave those of an epoch before."""
        checkpoint = self.checkpoint
        named = checkpoint.get_formatted_files(net)
        paths = {key: path for key, path in named.items() if path is not None}
        if not all(isinstance(path, str) for path in paths.values()):
            Checkpoint.save_model(checkpoint, net)  # into open files of the user's
            return
        seal = os.path.join(checkpoint.dirname, checkpoint.fn_prefix + SEAL)
        try:
            _finish(seal)
            files = {
                key: [
                    os.path.relpath(path, os.path.dirname(seal) or "."),
                    self._write(net, key, path + ASIDE),
                ]
                for key, path in paths.items()
            }
            told = {"epoch": len(net.history), "files": files}
            told |= {**self.identity, **learns_by(net)}
            with open(seal + ASIDE, "w", encoding="utf-8") as file:
                json.dump(told, file, indent=1)
            _to_disk(seal + ASIDE)
            for path in (seal, *paths.values()):
                os.replace(path + ASIDE, path)
        except Exception as error:  # of a full disk, of torch, or of a state
            self._warn(net, seal, error)
            for path in paths.values():
                with suppress(OSError):
                    os.remove(path + ASIDE)

    def _write(self, net: NeuralNet, key: str, path: str) -> str:
        """Write one file and return its fingerprint."""
        how: dict[str, Any] = {"use_safetensors": self.checkpoint.use_safetensors}
        if key == "f_history":
            net.save_params(f_history=path)
        else:
            # A file of Python's, as torch's own do not always tell of a full disk.
            with open(path, "wb") as file:
                if key == "f_pickle":
                    pickle.dump(net, file)
                else:
                    net.save_params(**{key: file}, **how)
        _to_disk(path)
        return _fingerprint(path)

    def _warn(self, net: NeuralNet, seal: str, error: Exception) -> None:
        if self.checkpoint.event_name is not None:
            net.history.record(self.checkpoint.event_name, False)
        try:
            held = f"holds that of epoch {_read(seal)['epoch']}"
        except (OSError, ValueError, KeyError):
            held = "holds none"
        reason = getattr(error, "strerror", None) or error
        warn(
            f"The checkpoint could not be written to {os.path.dirname(seal) or '.'!r}: "
            f"{reason}. The folder {held}, and the training goes on. Free some space, "
            "or set another dirname."
        )


def _to_disk(path: str) -> None:
    """Wait until a file is on the disk, so that none is empty after a power cut."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _fingerprint(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(seal: str) -> dict[str, Any]:
    with open(seal, encoding="utf-8") as file:
        told: dict[str, Any] = json.load(file)
    return told


def found(seal: str, files: Mapping[str, Any]) -> dict[str, str | None]:
    """Return where each file of a seal is; None if it is not as it was written."""
    places: dict[str, str | None] = {}
    for key, (name, fingerprint) in files.items():
        path = os.path.join(os.path.dirname(seal), name)
        likely = [p for p in (path, path + ASIDE) if os.path.isfile(p)]
        whole = (p for p in likely if _fingerprint(p) == fingerprint)
        places[key] = next(whole, None)
    return places


def _finish(seal: str) -> None:
    """Finish the renaming that a kill cut short, before its files are in the way."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        files = _read(seal)["files"]
        names = [
            os.path.join(os.path.dirname(seal), name) for name, _ in files.values()
        ]
        if any(os.path.exists(name + ASIDE) for name in names):
            for path in found(seal, files).values():
                if path is not None and path.endswith(ASIDE):
                    os.replace(path, path.removesuffix(ASIDE))


# What decides the numbers


def learns_by(net: NeuralNet) -> dict[str, str]:
    """Return what the weights of a net are learned by."""
    names = [*net._criteria, *net._optimizers]
    return {name: type(getattr(net, f"{name}_")).__qualname__ for name in names}


def in_words(value: Any) -> Any:
    """Return a setting as JSON can hold it, the same in every process."""
    if value is None or isinstance(value, str | bool):
        return value
    if is_number(value):
        return float(value)
    # Where an object lies in memory is told by the repr of many, and another each time.
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def digest_of(*tables: Any) -> str:
    """Return a fingerprint of the values of tables, arrays or lists of strings."""
    made = hashlib.sha256()
    for table in tables:
        if isinstance(table, LazyTable):
            made.update(table.fingerprint())
            continue
        columns = [table]
        if is_frame(table):
            columns = [take_column(table, place) for place in range(table.shape[1])]
        for column in columns:
            array = np.asarray(column)
            # By their letters: the bytes of objects are addresses, and those of strings
            # depend on the longest of them. With a mark between two, or "ab" before "c"
            # would be "a" before "bc".
            if array.dtype.kind in "OUST":
                text = "\0".join(map(str, array.ravel()))
                made.update(text.encode("utf-8", "surrogatepass"))
            else:
                flat = np.ascontiguousarray(array).reshape(-1)
                made.update(flat.view(np.uint8).data)
    return made.hexdigest()
