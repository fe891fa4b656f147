"""Members in a dict, as parameters by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

__all__ = ["NamedMembers"]

PREFIX = "members__"


class NamedMembers:
    """Mixin: the members of a dict answer to `get_params` and `set_params`.

    scikit-learn's own compositions do so for lists of pairs.
    """

    members: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; of members in a dict those of each, too.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return those of the estimators inside.

        Returns
        -------
        params : dict
            Parameters by name, such as ``members__merged__balance``.
        """
        params: dict[str, Any] = super().get_params(deep=deep)  # type: ignore[misc]
        if deep and isinstance(self.members, Mapping):
            for name, member in self.members.items():
                params[f"{PREFIX}{name}"] = member
                if hasattr(member, "get_params") and not isinstance(member, type):
                    for key, value in member.get_params().items():
                        params[f"{PREFIX}{name}__{key}"] = value
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters; of members in a dict those of each, too.

        Parameters
        ----------
        **params : dict
            Parameters by name, such as ``members__merged__balance``.

        Returns
        -------
        self : estimator instance
            This estimator.
        """
        nested = {k: params.pop(k) for k in list(params) if k.startswith(PREFIX)}
        super().set_params(**params)  # type: ignore[misc]
        for key, value in nested.items():
            name, _, rest = key.removeprefix(PREFIX).partition("__")
            if not isinstance(self.members, Mapping) or name not in self.members:
                known = list(self.members) if isinstance(self.members, Mapping) else []
                raise ValueError(
                    f"{key!r} names no member: members is {self.members!r}."
                    if not known
                    else f"{key!r} names no member. The members are {known}."
                )
            if rest:
                self.members[name].set_params(**{rest: value})
            else:
                self.members = {**self.members, name: value}
        return self
