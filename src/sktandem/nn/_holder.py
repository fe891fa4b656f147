"""What an estimator holds of its net: taken over last, waited for, and saved."""

from __future__ import annotations

import copyreg
from typing import Any

from sklearn.base import BaseEstimator
from skorch.history import History
from torch import nn

from sktandem.data._rows import Rows
from sktandem.exceptions import SourceError
from sktandem.nn._fitted import Fitted

__all__ = ["HoldsNet"]


class HoldsNet(BaseEstimator):
    """Base: the fitted state of an estimator with a net, and what it shows of it.

    All that was learned is one record, `_fitted`. A fit that is to be one of many has
    a `_waiting` in its place, which is done when somebody asks for what it learns.
    A subclass that skops can save fills `_plain_state` and `_restore`.
    """

    _fitted: Fitted

    def _settle(self, fitted: Fitted, rows: Rows) -> None:
        """Take over what was learned; `rows` are those of the fit, or a few of them."""
        self._remember(fitted)

    def _remember(self, fitted: Fitted) -> None:
        """Set the attributes, last, so that a failed fit leaves nothing behind."""
        # A fit that was waited for and did not come is not to be done now.
        self.__dict__.pop("_waiting", None)
        # A fit with other settings may have had attributes that this one has not.
        old = self._fitted.attributes() if hasattr(self, "_fitted") else {}
        for name in old:
            self.__dict__.pop(name, None)
        self._fitted = fitted
        self.__dict__.update(fitted.attributes())

    def __getattr__(self, name: str) -> Any:
        # What was learned is there when somebody asks, also of a fit that waits.
        # By `vars`: of an instance that has nothing yet, as while it is unpickled,
        # getattr would end here again, and again.
        waiting = vars(self).get("_waiting")
        if waiting is not None and (name == "_fitted" or name.endswith("_")):
            waiting.do()
        return object.__getattribute__(self, name)  # or the error of its own

    # Pickle and copy take everything there is. skops asks for a state by itself, and
    # cannot hold a tensor: it gets strings and bytes, of which the net is made again.

    def __reduce_ex__(self, protocol: Any) -> Any:
        if type(self).__getstate__ is not HoldsNet.__getstate__:  # a user's own
            return super().__reduce_ex__(protocol)
        return copyreg.__newobj__, (type(self),), super().__getstate__()  # type: ignore[attr-defined]

    def __getstate__(self) -> dict[str, Any]:
        return self._plain_state()

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "record" in state:
            self.__dict__.update(vars(type(self)()))
            self._restore(state)
        else:
            super().__setstate__(state)

    def _plain_state(self) -> dict[str, Any]:
        """Return the model as strings and bytes, for skops."""
        raise SourceError(
            f"skops cannot save a {type(self).__name__}: its encoder comes from "
            "transformers. Save it to a folder of safetensors and JSON: "
            "model.save_pretrained(folder)."
        )

    def _restore(self, state: dict[str, Any]) -> None:
        """Become the model that `_plain_state` gave."""
        raise NotImplementedError

    @property
    def module_(self) -> nn.Module:
        """The trained torch module."""
        module: nn.Module = self.net_.module_
        return module

    @property
    def history_(self) -> History:
        """The history of the training: a row for each epoch."""
        return self.net_.history
