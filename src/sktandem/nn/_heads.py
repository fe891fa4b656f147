"""One trunk, a head for each source, and an input layer for each if wanted."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sktandem._settings import is_integer
from sktandem.exceptions import SourceError
from sktandem.nn._items import Read, described, named
from sktandem.nn._modules import MLP

__all__ = [
    "HeadsOn",
    "MultiHead",
    "check_head",
    "has_own_heads",
    "make_head",
    "width_of",
]


class MultiHead(nn.Module):
    """A trunk that all sources share, and a head for each.

    Rows come sorted by source, and each goes to the head of its own.

    Parameters
    ----------
    trunk : torch.nn.Module
        Maps (n_rows, ...) to (n_rows, width).

    heads : sequence of torch.nn.Module
        One for each source, in order, from the width to what it answers.

    stems : sequence of torch.nn.Module or None, default=None
        One for each source, from its own columns to what the trunk takes.

    columns : sequence of sequence of int or None, default=None
        The columns that each stem sees.

    See Also
    --------
    sktandem.SharedNet : Builds and trains it, with ``heads="source"``.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from sktandem.nn import MultiHead
    >>> module = MultiHead(nn.Linear(5, 8), [nn.Linear(8, 3), nn.Linear(8, 4)])
    >>> X, source = torch.zeros(6, 5), torch.tensor([0, 0, 1, 1, 1, 1])
    >>> [tuple(output.shape) for output in module(X, source)]
    [(2, 3), (4, 4)]
    """

    def __init__(
        self,
        trunk: nn.Module,
        heads: Sequence[nn.Module],
        stems: Sequence[nn.Module] | None = None,
        columns: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ModuleList(heads)
        self.stems = None if stems is None else nn.ModuleList(stems)
        for place, own in enumerate(columns or ()):
            # Buffers move to a GPU with the module, and are saved with its weights.
            self.register_buffer(f"columns_{place}", torch.as_tensor(own))

    def forward(
        self, X: Tensor | None = None, source: Tensor | None = None, **more: Tensor
    ) -> Tensor | list[Tensor]:
        """Return the answer of each row's head.

        Parameters
        ----------
        X : Tensor of shape (n_rows, ...) or None
            Features, sorted by source; None where the trunk takes several inputs, by
            names of their own.

        source : Tensor of shape (n_rows,)
            The place of each row's source.

        **more : Tensor
            What else the trunk takes, such as `lengths`, or its inputs by name.

        Returns
        -------
        output : Tensor or list of Tensor
            The head's answer if all rows have one source, else a list of the
            answers in the order in which the sources come.
        """
        assert source is not None
        places, parts = parts_of(source)
        outputs = self.answers(X, places, parts, **more)
        return outputs[0] if len(outputs) == 1 else outputs

    def answers(
        self,
        X: Tensor | None,
        places: Sequence[int],
        parts: Sequence[slice],
        **more: Tensor,
    ) -> list[Tensor]:
        """Return the answer of each source's head.

        Parameters
        ----------
        X : Tensor of shape (n_rows, ...)
            Features, sorted by source.

        places : sequence of int
            The place of each source present.

        parts : sequence of slice
            Its rows.

        **more : Tensor
            What else the trunk takes.

        Returns
        -------
        outputs : list of Tensor
            The answers.
        """
        hidden = self._hidden(X, places, parts, **more)
        heads = self.heads._modules  # a list looks each up by text, twice
        if len(places) == 1:
            return [heads[str(places[0])](hidden)]
        return [heads[str(k)](hidden[part]) for k, part in zip(places, parts)]

    def embed(
        self, X: Tensor | None = None, source: Tensor | None = None, **more: Tensor
    ) -> Tensor:
        """Return what the trunk makes of each row.

        Parameters
        ----------
        X : Tensor of shape (n_rows, ...)
            Features, sorted by source.

        source : Tensor of shape (n_rows,)
            The place of each row's source.

        **more : Tensor
            What else the trunk takes.

        Returns
        -------
        hidden : Tensor of shape (n_rows, width)
            The shared embedding.
        """
        assert source is not None
        places, parts = parts_of(source)
        return self._hidden(X, places, parts, **more)

    def _hidden(
        self,
        X: Tensor | None,
        present: Sequence[int],
        parts: Sequence[slice],
        **more: Tensor,
    ) -> Tensor:
        if X is None:
            return self.trunk(**more)
        if self.stems is None:
            return self.trunk(X, **more)
        # Each source through its own layer, from its own columns; what it does not have
        # is NaN there and is never read. Behind the stems all rows are alike again.
        stemmed = [
            self.stems[k](X[part].index_select(1, getattr(self, f"columns_{k}")))
            for k, part in zip(present, parts)
        ]
        return self.trunk(stemmed[0] if len(stemmed) == 1 else torch.cat(stemmed))


def parts_of(source: Tensor) -> tuple[list[int], list[slice]]:
    """Return the sources of sorted rows, and where the rows of each lie."""
    # Rows come sorted by source, so that the rows of a head are a slice, which is a
    # view; an index of them would be a copy in every step.
    present, counts = torch.unique_consecutive(source, return_counts=True)
    ends = counts.cumsum(0).tolist()
    starts = [0, *ends[:-1]]
    return present.tolist(), [slice(a, b) for a, b in zip(starts, ends)]


def check_head(head: Any) -> None:
    """Refuse what a head cannot be made of."""
    if isinstance(head, nn.Module):
        raise SourceError(
            f"head must be a function (width, n_outputs) -> module, got the module "
            f"{head!r}: each source has a head of its own, of the width that fits. "
            "Pass one such as torch.nn.Linear itself."
        )
    if head is None or callable(head):
        return
    sizes = [*head] if isinstance(head, Iterable) else [head]
    lawful = all(is_integer(n) and n >= 1 for n in sizes)
    if not isinstance(head, Iterable) or not lawful:
        raise SourceError(
            "head must be None for a linear layer, a sequence of hidden sizes such as "
            f"(16,), or a function (width, n_outputs) -> module, got {head!r}."
        )


def make_head(head: Any, width: int, n_outputs: int) -> nn.Module:
    """Return a head: linear, with hidden layers, or as the user makes it."""
    if head is None:
        return nn.Linear(width, n_outputs)
    if callable(head):
        try:
            made = head(width, n_outputs)
        except TypeError as error:
            raise SourceError(
                f"head({width}, {n_outputs}) failed: {error}. It is called with the "
                "width of the trunk and the number of outputs."
            ) from error
        if not isinstance(made, nn.Module):
            raise SourceError(
                f"head must return a torch module, got {made!r} from "
                f"head({width}, {n_outputs})."
            )
        return made
    return MLP(width, n_outputs, hidden_sizes=head)


def has_own_heads(module: Any) -> bool:
    """Tell whether a module takes each row's source, and so has heads of its own."""
    forward = getattr(module, "forward", None)
    return forward is not None and "source" in inspect.signature(forward).parameters


class HeadsOn:
    """Makes the module of a net: heads on the trunk that the user gave.

    It stands where skorch expects a module class, so that ``module__...`` are
    still parameters of the trunk.

    Parameters
    ----------
    trunk : module class, factory or instance
        What the user's net has as `module`.

    n_outputs : sequence of int
        Outputs of each head.

    head : None, sequence of int or callable
        What the heads are made of.

    answer : module class or None
        What stands behind each head, such as a softmax.

    example : Tensor or dict of Tensor
        A few rows, to find the trunk's width.

    columns : sequence of sequence of int or None
        The columns of each source, if each has a stem.

    stem_width : int
        What the stems give to the trunk.
    """

    def __init__(
        self,
        trunk: Any,
        n_outputs: Sequence[int],
        head: Any,
        answers: Sequence[Any],
        example: Read,
        columns: Sequence[Sequence[int]] | None = None,
        stem_width: int = 0,
    ) -> None:
        self.trunk, self.n_outputs, self.head = trunk, tuple(n_outputs), head
        self.answers, self.example = tuple(answers), example
        self.columns, self.stem_width = columns, stem_width

    def __repr__(self) -> str:
        name = getattr(self.trunk, "__name__", type(self.trunk).__name__)
        return f"HeadsOn({name}, {self.n_outputs})"

    def __call__(self, **params: Any) -> MultiHead:
        # A module that is an instance is copied by skorch's clone before; with
        # parameters set on it, it is made anew, as skorch does it.
        built = isinstance(self.trunk, nn.Module) and not params
        maker = type(self.trunk) if isinstance(self.trunk, nn.Module) else self.trunk
        trunk = self.trunk if built else maker(**params)
        width = width_of(trunk, self.example)
        heads = []
        for n_outputs, answer in zip(self.n_outputs, self.answers):
            head = make_head(self.head, width, n_outputs)
            heads.append(head if answer is None else nn.Sequential(head, answer(dim=1)))
        if self.columns is None:
            return MultiHead(trunk, heads)
        stems = [
            nn.Sequential(nn.Linear(len(own), self.stem_width), nn.ReLU())
            for own in self.columns
        ]
        return MultiHead(trunk, heads, stems, self.columns)


def width_of(trunk: nn.Module, example: Read) -> int:
    """Return the width of what a trunk gives for a few rows."""
    # In evaluation mode: batch normalisation must not learn from rows of zeros.
    training = trunk.training
    trunk.eval()
    try:
        with torch.no_grad():
            hidden = _asked(trunk, example)
    except Exception as error:
        raise SourceError(
            f"The trunk {type(trunk).__name__} did not take a batch of "
            f"{described(example)}: {error}\nA module whose __init__ names n_features "
            "gets the number of columns by itself."
        ) from error
    finally:
        trunk.train(training)
    if hidden.ndim != 2:
        raise SourceError(
            f"The trunk {type(trunk).__name__} must give (n_rows, width), got "
            f"shape {tuple(hidden.shape)} for {_n_rows(example)} rows."
        )
    return hidden.shape[1]


def _n_rows(example: Read) -> int:
    return len(next(iter(named(example).values())))


def _asked(trunk: nn.Module, example: Read) -> Any:
    given = named(example)
    if "X" not in given:
        return trunk(**given)
    X = given["X"]
    more = {key: value for key, value in given.items() if key != "X"}
    try:
        return trunk(X, **more)
    except Exception as error:
        try:
            return trunk(X.float(), **more)  # integers may be measurements
        except Exception:
            raise error from None
