"""Mushrooms of two statures: which can be eaten."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktandem._telling import did_you_mean
from sktandem.data._tables import pandas_for
from sktandem.datasets._loading import as_bunch, read_columns
from sktandem.datasets._mixed import with_names
from sktandem.exceptions import SourceError

__all__ = ["load_mushroom"]

COLOURS = (
    "n brown,b buff,c cinnamon,g gray,r green,p pink,u purple,e red,w white,y yellow,"
    "k black,h chocolate,o orange"
)
SURFACES = "f fibrous,y scaly,k silky,s smooth"
# What the letters of the file stand for. '?' stands for nothing: it is missing.
LETTERS = {
    "cap_shape": "b bell,c conical,x convex,f flat,k knobbed,s sunken",
    "cap_surface": "f fibrous,g grooves,y scaly,s smooth",
    "cap_color": COLOURS,
    "bruises": "t yes,f no",
    "odor": (
        "a almond,l anise,c creosote,y fishy,f foul,m musty,n none,p pungent,s spicy"
    ),
    "gill_attachment": "a attached,d descending,f free,n notched",
    "gill_spacing": "c close,w crowded,d distant",
    "gill_size": "b broad,n narrow",
    "gill_color": COLOURS,
    "stalk_shape": "e enlarging,t tapering",
    "stalk_root": "b bulbous,c club,u cup,e equal,z rhizomorphs,r rooted",
    "stalk_surface_above": SURFACES,
    "stalk_surface_below": SURFACES,
    "stalk_color_above": COLOURS,
    "stalk_color_below": COLOURS,
    "veil_type": "p partial,u universal",
    "veil_color": COLOURS,
    "ring_number": "n none,o one,t two",
    "ring_type": (
        "c cobwebby,e evanescent,f flaring,l large,n none,p pendant,s sheathing,z zone"
    ),
    "spore_print_color": COLOURS,
    "population": "a abundant,c clustered,n numerous,s scattered,v several,y solitary",
    "habitat": "g grasses,l leaves,m meadows,p paths,u urban,w waste,d woods",
}
DESCRIPTION = """\
Mushroom: descriptions of gilled mushrooms of 23 species of Agaricus and Lepiota,
drawn from a field guide. "poisonous" includes those of unknown edibility.

Rows: {n_rows}. Sources: {sources}, by {source}, which is no feature.
Features: 21, all categories. stalk_root is missing in 2,480 rows.
Licence: CC BY 4.0. Cite: Mushroom (1981), doi:10.24432/C5959T. Not a guide to eating.
"""


def load_mushroom(
    *,
    source: str = "stalk_shape",
    column: str | None = None,
    return_X_y: bool = False,
) -> Any:
    """Load mushrooms that widen downwards and mushrooms that taper, as two sources.

    One table split by one of its columns: the textbook way to make two
    datasets whose features are distributed differently while edible stays
    edible. Other columns split it too, some into more than two sources.

    ==============  ====================
    Sources         enlarging, tapering
    Rows            3,516 and 4,608
    Features        21, all categories
    Target          edible, poisonous
    ==============  ====================

    Always returns pandas objects, because the table holds words. Needs the
    extra ``notebook``.

    Parameters
    ----------
    source : str, default="stalk_shape"
        The column that tells the sources apart. It is not also a feature.

    column : str, default=None
        Also put the source into X, as in :func:`~sktandem.stack_sources`;
        ``column="stalk_shape"`` gives the column its own name back.

    return_X_y : bool, default=False
        Return the named tuple ``X, y, sample_source`` instead of a bunch.

    Returns
    -------
    mushroom : Bunch
        With `data`, `target`, `sample_source`, `feature_names`, `target_name`,
        `target_names`, `DESCR`.

    Raises
    ------
    ImportError
        If pandas is not installed.
    SourceError
        If `source` is not a column, or is missing in some rows.

    Notes
    -----
    The file's letters are spelt out as its description names them, and its
    "?" in ``stalk_root`` is a missing value. ``veil_type`` is the same in all
    rows.

    References
    ----------
    .. [1] "Mushroom" (1981), UCI Machine Learning Repository,
       doi:10.24432/C5959T; drawn from G. H. Lincoff (1981), The Audubon
       Society Field Guide to North American Mushrooms.
    .. [2] W. Dai, Q. Yang, G.-R. Xue, Y. Yu (2007), "Boosting for transfer
       learning", International Conference on Machine Learning, 193-200,
       splits the data by stalk shape.

    Examples
    --------
    >>> from sktandem.datasets import load_mushroom
    >>> mushroom = load_mushroom()
    >>> poisonous = mushroom.target == "poisonous"
    >>> for name in ("enlarging", "tapering"):
    ...     print(f"{name}: {poisonous[mushroom.sample_source == name].mean():.0%}")
    enlarging: 54%
    tapering: 44%
    """
    pd = pandas_for("load_mushroom")
    columns = read_columns("mushroom.csv.gz")
    poisonous = columns.pop("poisonous") == "p"
    _check_source(columns, source)
    frame = pd.DataFrame(
        {name: _words(columns[name], LETTERS[name], pd) for name in LETTERS}
    )
    sample_source = frame.pop(source).to_numpy().astype(str)
    return as_bunch(
        frame,
        np.where(poisonous, "poisonous", "edible"),
        sample_source,
        feature_names=list(frame.columns),
        column=column,
        as_frame=True,
        return_X_y=return_X_y,
        target_name="edibility",
        target_names=["edible", "poisonous"],
        DESCR=DESCRIPTION.format(
            n_rows=len(frame),
            sources=", ".join(np.unique(sample_source)),
            source=source,
        ),
    )


def _words(letters: NDArray[Any], pairs: str, pd: Any) -> Any:
    names = dict(pair.split(" ", 1) for pair in pairs.split(","))
    return with_names(letters, names, pd).remove_unused_categories()


def _check_source(columns: dict[str, NDArray[Any]], source: str) -> None:
    if source not in LETTERS:
        raise SourceError(
            f"source={source!r} is not a column of the mushrooms. The columns are "
            f"{list(LETTERS)}.{did_you_mean(source, LETTERS)}"
        )
    n_missing = int(np.sum(columns[source] == "?"))
    if n_missing:
        raise SourceError(
            f"source={source!r} is missing in {n_missing} rows, which would belong to "
            "no source. Choose another column."
        )
