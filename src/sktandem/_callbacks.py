"""Callbacks of scikit-learn, where it has them: the one file that knows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    def with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


__all__ = ["Callbacks", "fit_task", "part_of_fit", "parts_of_fit", "without_parts"]

# The task of the fit that is under way in this thread, and the estimator.
_active: ContextVar[Any] = ContextVar("active", default=None)


class Callbacks(CallbackSupportMixin):
    """Base: an estimator whose `fit` is a task that callbacks are told of."""

    @with_callbacks
    def _told_fit(
        self, fit: Callable[[], None], X: Any, y: Any, metadata: dict[str, Any]
    ) -> None:
        task = self._init_callback_context(max_subtasks=None)
        given = {key: value for key, value in metadata.items() if value is not None}
        told = {"estimator": self, "X": X, "y": y, "metadata": given or None}
        task.call_on_fit_task_begin(**told)
        token = _active.set((task, self))
        try:
            fit()
        finally:
            _active.reset(token)
        # Fitted by now, so that a copy is all that a callback needs to ask it.
        task.call_on_fit_task_end(**told, reconstruction_attributes=dict)


def fit_task(
    estimator: Any, fit: Callable[[], None], X: Any, y: Any, **metadata: Any
) -> None:
    """Run what fits an estimator, and tell its callbacks, if there are any."""
    listens = ("_skl_callbacks", "_parent_callback_ctx")
    if isinstance(estimator, Callbacks) and any(hasattr(estimator, n) for n in listens):
        estimator._told_fit(fit, X, y, metadata)
    else:
        with without_parts():
            fit()


@contextmanager
def part_of_fit(name: str, inner: Any, X: Any = None, y: Any = None) -> Iterator[None]:
    """Make the fit of an estimator inside another a part of the task under way."""
    active = _active.get()
    if active is None:
        yield
        return
    task, owner = active
    part = task.subcontext(task_name=name)
    # scikit-learn would warn of each estimator inside that knows no callbacks.
    knows = hasattr(inner, "set_callbacks")
    handed: AbstractContextManager[Any] = nullcontext()
    if knows:
        handed = part.propagate_callback_context(inner)
    with handed:
        part.call_on_fit_task_begin(estimator=owner, X=X, y=y)
        yield
        part.call_on_fit_task_end(estimator=owner, X=X, y=y)


@contextmanager
def parts_of_fit(name: str, n_parts: int) -> Iterator[Callable[[str], None]]:
    """Tell of parts that are fitted elsewhere, such as in other processes.

    Yields what is called with the name of each part when it is done.
    """
    active = _active.get()
    if active is None:
        yield lambda name: None
        return
    task, owner = active
    whole = task.subcontext(task_name=name, max_subtasks=n_parts)
    whole.call_on_fit_task_begin(estimator=owner)

    def tell(name: str) -> None:
        part = whole.subcontext(task_name=name)
        part.call_on_fit_task_begin(estimator=owner)
        part.call_on_fit_task_end(estimator=owner)

    yield tell
    whole.call_on_fit_task_end(estimator=owner)


@contextmanager
def without_parts() -> Iterator[None]:
    """Let fits in the block be no parts of the task under way."""
    token = _active.set(None)
    try:
        yield
    finally:
        _active.reset(token)
