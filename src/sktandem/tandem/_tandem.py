"""Blend the ways of using the datasets, with weights that each source chooses."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from copy import copy
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MetaEstimatorMixin, _clone_parametrized, is_regressor
from sklearn.utils import Tags, check_random_state

from sktandem._docs import documented
from sktandem._kept import folder_of
from sktandem._routing import SOURCE_AND_GROUPS
from sktandem._settings import check_choice, check_integer, is_number
from sktandem._telling import warn
from sktandem._typing import Folder, RandomState, UnknownSource
from sktandem.data._cells import classes_by_source
from sktandem.data._estimator import SourceEstimator, one_class, tags_like
from sktandem.data._predictor import SourcePredictor
from sktandem.data._rows import Rows
from sktandem.exceptions import SourceError
from sktandem.members import OtherSources, OwnModels, StackedOwnModels
from sktandem.members._fill import as_model, check_estimator, filled, is_net
from sktandem.members._named import NamedMembers
from sktandem.members._names import default_members, member_name, resolve_members
from sktandem.merge import Merged
from sktandem.merge._plan import check_weights
from sktandem.model_selection._compare import has_columns, with_flat_classes
from sktandem.tandem._blend import Blender, gains_of, mixture_of_unknown
from sktandem.tandem._donors import check_donors, with_donors
from sktandem.tandem._fitted import FittedBlend
from sktandem.tandem._judge import Limits, counts_of, judge_for
from sktandem.tandem._out_of_fold import alone, folds_of, kept, out_of_fold

__all__ = ["Tandem"]

BECAUSE = "Each source has weights of its own"


@documented
class Tandem(MetaEstimatorMixin, NamedMembers, SourcePredictor):
    r"""Blend the ways of using several datasets, source by source.

    No way of using a second dataset wins everywhere: one merged model repairs a small
    source and ruins another. This estimator fits several ways, the members, and
    predicts for each source by a weighted mean of them. The weights are chosen on
    held-out rows of the source, so the blend is rarely worse than the source's own
    model, and usually better.

    Read more in the :ref:`User Guide <blend>`.

    Parameters
    ----------
    estimator : estimator instance, default=None
        A classifier, a regressor or a skorch net; Tandem is of its kind. None
        is a hole that a comparison fills with the estimator that it compares.

    members : "default", list of estimator or dict, default="default"
        What to blend: a list that suits the estimator; members, as of
        :mod:`sktandem.members`; or these and any other estimators by name. A
        member whose `estimator` (or `net`) is None is filled with `estimator`.
        Own models are always among them, and first.

    donors : dict of {str: model}, default=None
        Fitted models of somebody else, whose data are not needed: any object
        with `predict`, or `predict_proba` and `classes_`. Each is blended as it
        is and re-calibrated on the rows of each source: by an intercept, and by
        an intercept and a slope. A pair ``(model, {its class: class of y})``
        translates its classes. Donors are never fitted, cloned or changed.

    combine : {"blend", "choose"}, default="blend"
        "choose" takes for each source the one member that is best, for those
        who want a model that they can name.

    {source}

    {primary_source}

    loss : str or float, default="auto"
        What the weights make small. "auto" is the loss that the estimator is made
        for: the pinball loss of a quantile, absolute error, a deviance or squared
        error; log loss of classifiers, or the Brier score of their votes where
        they give no probabilities. Or one of "log_loss", "brier_score",
        "squared_error", "absolute_error", "poisson" and "gamma"; a number
        between 0 and 1 is the quantile of a pinball loss.

    cv : int, cross-validator or iterable of splits, default=5
        Inner folds. A number of them is stratified by source and by class; others
        must hold out every row once.

    scaler : str, transformer or None, default="standard"
        How features reach `estimator`, as in :class:`~sktandem.Merged`, in
        members that leave their own `scaler` at its default.

    unknown_source : {"error", "primary", "pooled"}, default="error"
        What to do with a row whose source was not there in `fit`, or is not
        given: raise, treat it as the primary source's, or blend by weights
        learned from leaving whole sources out (of two sources, by weights common
        to both).

    n_jobs : int, default=None
        How many fits to run at once.

    cache : path-like, default=None
        A folder that keeps what members answer out of fold, so that a fit that was
        cut short goes on. Members are fitted on all rows anew. Needs a
        `random_state`; see :ref:`long_comparisons`.

    random_state : int, RandomState instance or None, default=None
        Seeds the folds and every model.

    verbose : int, default=0
        Whether to print what is fitted and what it costs.

    Attributes
    ----------
    weights_ : dict of {source: dict of {str: float}}
        The weight of each member; for each source they add up to 1.

    members_ : dict of {str: estimator}
        The members, fitted on all rows.

    n_clipped_ : dict of {str: int}
        How many numbers of each member, out of fold, lay beyond the range that they
        are kept within.

    nets_ : dict of {str: int}
        How many nets were trained as one, under "together", which takes a small part
        of the time; and how many were trained alone, under the reason for it. Empty
        where no member holds a net.

    gain_ : BlendGains
        For each source the loss of its own model and of the blend, and an
        interval of the difference. Print it, or draw it with its `plot`.

    {classes_}

    {classes_by_source_}

    {sources_}

    {n_features_in_}

    {feature_names_in_}

    See Also
    --------
    sktandem.model_selection.compare_strategies : Verdicts on single ways.
    sktandem.inspection.BlendDisplay : Draws the weights and the gains.

    Notes
    -----
    It is the super learner [1]_ for several sources. Member :math:`k` predicts
    :math:`f_k(x_i)` for a row that it did not see, and the weights of source
    :math:`s` solve

    .. math:: \min_w \sum_{i \in s} \ell(y_i, \sum_k w_k f_k(x_i))
        + \frac{100}{n_{-s}} \sum_{i \notin s} \ell(y_i,
        \sum_k w_k f_k(x_i)) + 4 \bar\ell_s (1 - w_1),
        \quad w_k \ge 0, \sum_k w_k = 1,

    with losses in units of what the best constant costs on the source. The rows
    of the others, which count as 100 in all, keep the weights of small sources near
    those that suit all. And to leave its own model, :math:`f_1`, costs a source as
    much as that model loses on four rows, :math:`4 \bar\ell_s`: of thirty rows,
    some member looks better by chance. Donors cost nothing. Numbers are kept within
    the range of the source's target, widened by a quarter. Probabilities that log
    loss judges are mixed as :math:`(n_s p + a) / (n_s + a K)` for :math:`K` classes,
    so that no zero decides; of :math:`a` = 1, 1/4 and 1/20 the one is taken that costs
    least out of fold.

    The cost is ``cv + 1`` fits of each member on all rows, less for a model of
    other sources only, which needs no folds, and more for own predictions as a
    feature, which come from folds of their own.

    References
    ----------
    .. [1] M. J. van der Laan, E. C. Polley and A. E. Hubbard (2007), "Super
       Learner", Statistical Applications in Genetics and Molecular Biology 6.

    Examples
    --------
    A lab of 48 rows beside one of 952, with the opposite rule and with the same
    one. The loss on as many fresh rows, as a part of the own model's:

    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sktandem import Tandem
    >>> from sktandem.datasets import make_two_sources
    >>> from sktandem.members import OwnModels
    >>> for angle in 180, 0:
    ...     X, y, source = make_two_sources(
    ...         2000, n_features=20, size_ratio=0.05,
    ...         concept_angle=angle, return_X_y=True, random_state=0,
    ...     )
    ...     new = np.arange(2000) % 2 == 1
    ...     lab = new & (source == "first")
    ...     losses = []
    ...     for model in Tandem(Ridge(), random_state=0), OwnModels(Ridge()):
    ...         _ = model.fit(X[~new], y[~new], sample_source=source[~new])
    ...         predicted = model.predict(X[lab], sample_source=source[lab])
    ...         losses.append(np.mean((y[lab] - predicted) ** 2))
    ...     print(angle, round(losses[0] / losses[1], 2))
    180 0.97
    0 0.82
    """

    # Groups are for the inner folds, as they are for the splitters.
    __metadata_request__fit = SOURCE_AND_GROUPS

    def __init__(
        self,
        estimator: Any = None,
        *,
        members: str | Sequence[Any] | Mapping[str, Any] = "default",
        donors: Mapping[str, Any] | None = None,
        combine: Literal["blend", "choose"] = "blend",
        source: str | int | None = None,
        primary_source: Hashable = None,
        loss: str | float = "auto",
        cv: int = 5,
        scaler: Any = "standard",
        unknown_source: UnknownSource = "error",
        n_jobs: int | None = None,
        cache: Folder = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.members = members
        self.donors = donors
        self.combine = combine
        self.source = source
        self.primary_source = primary_source
        self.loss = loss
        self.cv = cv
        self.scaler = scaler
        self.unknown_source = unknown_source
        self.n_jobs = n_jobs
        self.cache = cache
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        sample_source: Any = None,
        groups: Any = None,
    ) -> Self:
        """Fit the members, on folds and on all rows, and learn their weights.

        Parameters
        ----------
        {X}

        {y}

        {sample_weight}

        {sample_source}

        groups : array-like of shape (n_samples,), default=None
            Rows that stay together in the inner folds, as those of one patient.

        Returns
        -------
        self : Tandem
            The fitted instance.

        Raises
        ------
        SourceError
            If labels or settings do not fit the data, a member that was named
            fails, or all of them do.
        """
        self._check_settings()
        given = {"sample_weight": sample_weight, "sample_source": sample_source}
        return self._fit(X, y, groups=groups, **given)

    def _check_settings(self) -> None:
        check_estimator(self)
        check_donors(self.donors)
        check_choice("combine", self.combine, ("blend", "choose"))
        if is_number(self.cv) or isinstance(self.cv, str):
            check_integer("cv", self.cv, least=2)

    def _fit_rows(self, rows: Rows) -> None:
        self._check_settings()
        model = as_model(self.estimator)
        rows = with_flat_classes(rows, model)
        if rows.weights is not None:
            check_weights(rows.weights)
        refuse_weightless(rows)
        judge = judge_for(model, self.loss, rows.y)
        target = judge.target(rows.y)
        # Refuses one that is too large, before anything is fitted.
        judge.scale(target[counts_of(rows) > 0])
        folder = folder_of(self.cache, self.random_state)
        rng = check_random_state(self.random_state)
        members = self._members(rows, rng)
        donors = check_donors(self.donors)
        if len(rows.names) == 1 and not donors:
            folds, found = [], alone(members, rows, target)
        else:
            folds = folds_of(self.cv, rows, judge, rng)
            how = self.n_jobs, self._tell, folder
            found = out_of_fold(members, rows, folds, judge, *how)
            found = kept(found, named=not isinstance(self.members, str))
            found = with_donors(found, donors, rows, folds, judge, target)
        blender = Blender(found, rows, judge, target, self.combine == "choose")
        # The last mixture is for unknown sources, whose code is -1.
        unknown = np.zeros(len(found.names)), 0.0
        if self.unknown_source == "pooled" and len(rows.names) > 1:
            how = self.n_jobs, self._tell, folder
            unknown = mixture_of_unknown(blender, members, *how)
        mixtures = blender.mixtures()
        gains = gains_of(blender, mixtures.weights, len(folds))
        for name in ("classes_", "classes_by_source_"):  # of an earlier fit
            self.__dict__.pop(name, None)
        if judge.classes is not None:
            self.classes_ = judge.classes
            self.classes_by_source_ = classes_by_source(rows.sources, rows.y)
        self._blend = FittedBlend(
            {name: found.models[name] for name in found.names},
            mixtures.and_one(*unknown),
            judge,
            Limits.of(judge, target, rows),
            flat=rows.y.ndim == 1,
        )
        self.members_ = {
            name: member.model
            for name, member in self._blend.members.items()
            if member.model is not None
        }
        self.weights_, self.gain_ = dict(gains.weights), gains
        self.n_clipped_, self.nets_ = found.clipped, found.nets
        self.sources_ = rows.names
        self._tell(str(gains))

    def _members(self, rows: Rows, rng: np.random.RandomState) -> dict[str, Any]:
        """Return the members by name, filled and seeded, own models first."""
        if len(rows.names) == 1:
            named: dict[str, Any] = {member_name(OwnModels()): OwnModels()}
            if not self.donors:
                warn(
                    f"Only one source, {rows.names[0]!r}: there is nothing to blend, "
                    "and its own model is fitted. Pass sample_source, or name its "
                    "column by source."
                )
        elif isinstance(self.members, str):
            check_choice("members", self.members, ("default",))
            named = blend_members(self.estimator, has_columns(rows), self.scaler)
        else:
            named = resolve_members(self.members, self.estimator, argument="members")
        seeded = self.random_state is not None
        members = {}
        for name, member in named.items():
            seed = int(rng.randint(np.iinfo(np.int32).max))
            members[name] = filled(
                member,
                self.estimator,
                rng=np.random.RandomState(seed) if seeded else None,
                scaler=self.scaler,
                primary_source=self.primary_source,
                unknown_source=self.unknown_source,
                **({"random_state": seed} if seeded else {}),
            )
            if isinstance(members[name], SourceEstimator):
                members[name]._check_settings()
        return members

    def _tell(self, line: str) -> None:
        if self.verbose:
            print(f"[{type(self).__name__}] {line}")

    # Answers ----------------------------------------------------------------------

    def _depends_on_source(self) -> str | None:
        return None if len(self.sources_) == 1 else BECAUSE

    def _answer(self, method: str, rows: Rows) -> NDArray[Any]:
        blend: FittedBlend = self._blend
        mixed = blend.mixed(rows)
        return mixed if method == "predict_proba" else blend.predicted(mixed)

    def predict_members(
        self, X: Any, *, sample_source: Any = None
    ) -> dict[str, NDArray[Any]]:
        """Return what each member answers, for those who look inside.

        Parameters
        ----------
        {X_seen}

        {sample_source_seen}

        Returns
        -------
        answers : dict of {str: ndarray of shape (n_samples, n_classes or n_outputs)}
            Probabilities of the classes, or numbers, as they are mixed; nan where a
            member could not be fitted for a row's source.
        """
        rows = self._read(X, sample_source=sample_source)
        blend: FittedBlend = self._blend
        every = np.arange(len(rows))
        return {name: blend.answers(name, rows, every) for name in blend.members}

    def _offers(self, method: str) -> bool:
        return method == "predict_proba" and hasattr(as_model(self.estimator), method)

    def _is_scored_by_source(self) -> bool:
        return True

    def __sklearn_clone__(self) -> Self:
        # Donors are somebody else's: a clone has the same ones, not copies.
        bare = copy(self)
        bare.donors = None
        made: Self = _clone_parametrized(bare)
        return made.set_params(donors=self.donors)

    def __sklearn_tags__(self) -> Tags:
        model = as_model(self.estimator)
        return one_class(tags_like(super().__sklearn_tags__(), model, self.scaler))


def blend_members(estimator: Any, columns: bool, scaler: Any) -> dict[str, Any]:
    """Return the members that are blended where the user names none, by name."""
    if is_net(estimator):
        return {member_name(member): member for member in default_members(estimator)}
    members: dict[str, Any] = {member_name(OwnModels()): OwnModels()}
    members["merged"] = Merged()
    if columns:
        members["with indicator"] = Merged(representation="indicator")
        if isinstance(scaler, str):
            # The only repair where the units of the sources differ.
            by_source = Merged(scale_by="source", representation="indicator")
            if is_regressor(estimator):
                by_source.set_params(scale_target_by="source")
            members["scaled by source"] = by_source
        members["own as a feature"] = StackedOwnModels()
    return {**members, "other sources": OtherSources()}


def refuse_weightless(rows: Rows) -> None:
    """Refuse weights of 0 in all rows of a source, which then chooses nothing."""
    if rows.weights is None:
        return
    for name, own in zip(rows.names, rows.sources.rows):
        if not (rows.weights[own] > 0).any():
            raise SourceError(
                f"sample_weight gives no row of {name!r} a weight above 0, so its "
                "blend weights cannot be learned. Leave its rows out."
            )
