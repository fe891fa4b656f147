"""The settings of a SharedNet that must go together: its task, its items, its heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor

from sktandem._settings import check_choice, is_among, is_estimator
from sktandem._telling import did_you_mean
from sktandem.exceptions import SourceError
from sktandem.nn._aim import KINDS
from sktandem.nn._heads import check_head, has_own_heads
from sktandem.nn._net import is_binary
from sktandem.nn._weighing import check_loss_weights

__all__ = [
    "OF_CLASSES",
    "check_balance",
    "check_heads",
    "check_items",
    "check_target",
    "check_task",
    "refuse_idle",
]

OF_CLASSES = (NeuralNetClassifier, NeuralNetBinaryClassifier)
BALANCES = (None, "classes", "both")


def check_task(kind: Any, net: Any) -> None:
    """Refuse a task that the net does not have, or one that is not known."""
    name = type(net).__name__
    if kind is None:
        raise SourceError(
            "SharedNet has neither a net nor a task. Pass a net, such as "
            "sktandem.nn.default_net(), or task='classification' or 'regression'."
            if net is None
            else f"{name} does not say what it learns. Pass task='classification' "
            "or task='regression'."
        )
    if isinstance(kind, Mapping):
        _check_tasks(kind, net)
        return
    check_choice("task", kind, (None, *KINDS), " or a dict of them by source")
    others = NeuralNetRegressor if kind == "classification" else OF_CLASSES
    if isinstance(net, others):
        raise SourceError(
            f"task={kind!r}, and {name} is a net for "
            f"{'numbers' if kind == 'classification' else 'classes'}. Leave "
            "task at None, or pass another net."
        )


def _check_tasks(kinds: Mapping[Any, Any], net: Any) -> None:
    """Refuse tasks by source that are none, or not those of the net."""
    if not kinds:
        raise SourceError(
            "task={} names no source. It must give each source 'classification' "
            "or 'regression'."
        )
    for source, own in kinds.items():
        if own not in KINDS:
            raise SourceError(
                f"task gives {source!r} the task {own!r}. It must be one of "
                f"{list(KINDS)}.{did_you_mean(own, KINDS)}"
            )
    if isinstance(net, OF_CLASSES):
        raise SourceError(
            f"A task that is a dict by source needs a plain net, got "
            f"{type(net).__name__}, which only classifies. Use skorch.NeuralNet."
        )


def check_items(augment: Any, collate: Any, scaler: Any) -> None:
    """Refuse what cannot be called with items, or would get none."""
    several = isinstance(augment, Mapping)
    for each in augment.values() if several else [augment]:
        if not (callable(each) or each is None):
            raise SourceError(
                "augment must be a function of an item, or a dict of such by "
                f"source, got {each!r}."
            )
    if augment is not None and is_estimator(scaler):
        raise SourceError(
            f"augment acts on items, and scaler={scaler!r} makes columns of "
            "them first. Set one of the two to None."
        )
    if not (callable(collate) or collate is None):
        raise SourceError(
            "collate must be a function of a list of items, such as "
            f"sktandem.nn.pad_sequences, got {collate!r}."
        )


def check_target(kind: Any, balance: Any, scale_target_by: Any) -> None:
    """Refuse settings for classes where numbers are learned, and the reverse."""
    check_balance(balance)
    classifies = kind == "classification"
    if balance is not None and not classifies:
        raise SourceError(
            f"balance={balance!r} weights classes, and task is "
            f"{kind!r}. Leave it at None."
        )
    known = ("auto", "pooled", "source", None)
    check_choice("scale_target_by", scale_target_by, known)
    if classifies and scale_target_by not in ("auto", None):
        raise SourceError(
            f"scale_target_by={scale_target_by!r} is for regression, and "
            "classes have no scale. Leave it at 'auto'."
        )


def check_balance(balance: Any) -> None:
    """Refuse a way to weight rows that there is not."""
    if not is_among(balance, BALANCES):
        raise SourceError(
            f"balance must be one of {list(BALANCES)}, got {balance!r}. The "
            "schedule decides how much of each source is used."
        )


def refuse_idle(of_heads: Mapping[str, Any]) -> None:
    """Refuse settings of heads where there is one output for all sources."""
    # Refused and not ignored: a search over `head` that forgot `heads` would
    # compare one and the same model.
    for name, value in of_heads.items():
        idle = "shared" if name == "stems" else None
        if value is not None and (idle is None or value != idle):
            raise SourceError(
                f"{name}={value!r} is for heads by source, and heads='shared' has "
                f"one output for all. Set heads='source', or leave it at {idle!r}."
            )


def check_heads(
    net: Any, kind: Any, scale_target_by: Any, loss_weights: Any, head: Any, stems: Any
) -> None:
    """Refuse what does not go with a head for each source."""
    check_loss_weights(loss_weights)
    check_head(head)
    if kind != "classification" and scale_target_by not in ("auto", "source"):
        raise SourceError(
            f"scale_target_by={scale_target_by!r} has no meaning with heads "
            "by source: each head standardises its own source's target. Leave it "
            "at 'auto'."
        )
    # What a module brings itself cannot be asked of it once more.
    name, value = ("head", head) if head is not None else ("stems", stems)
    if has_own_heads(net.module) and value != "shared":
        raise SourceError(
            f"{name}={value!r} has no effect: the module of "
            f"{type(net).__name__} takes each row's source and has its own heads "
            "and stems."
        )
    if is_binary(net):
        raise SourceError(
            f"{type(net).__name__} gives one number, but a head needs an output "
            "for each class. Use NeuralNetClassifier."
        )
