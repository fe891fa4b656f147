"""Which rows are held out inside fit, and what is kept by their losses."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from net_callbacks import Ruins
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from sktandem import SharedNet
from sktandem.data._sources import resolve_sources
from sktandem.exceptions import SourceError, SourceWarning
from sktandem.nn import default_net
from sktandem.nn._validation import held_out

SEEDS = st.integers(0, 9999)
FRACTIONS = st.floats(0.01, 0.99)
LABELS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), min_size=1)


def sources_of(labels):
    return resolve_sources(np.zeros((len(labels), 1)), list(labels))[1]


def quiet_held_out(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SourceWarning)
        return held_out(*args, **options)


def two_sources(n_a=40, n_b=24, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_a + n_b, 3))
    y = (X[:, 0] + rng.normal(size=len(X)) > 0).astype(int)
    return X, y, np.repeat(["a", "b"], [n_a, n_b])


def classifier(max_epochs=4, lr=0.01, callbacks=None, **params):
    net = default_net(max_epochs=max_epochs, lr=lr, module__hidden_sizes=(8,))
    net.set_params(callbacks=callbacks)
    return SharedNet(net, random_state=0, **params)


# Which rows -------------------------------------------------------------------


@given(labels=LABELS, fraction=FRACTIONS, seed=SEEDS)
def test_each_source_and_class_gives_its_share_to_within_a_row(labels, fraction, seed):
    names, y = zip(*labels)
    sources, y = sources_of(names), np.array(y)

    held = quiet_held_out(fraction, sources, y, seed)

    for cell in set(labels):
        rows = [i for i, label in enumerate(labels) if label == cell]
        assert abs(held[rows].sum() - fraction * len(rows)) <= 1 + 1e-6
        assert held[rows].sum() < len(rows), "a class is never held out whole"


@given(labels=LABELS, fraction=FRACTIONS, seed=SEEDS)
def test_a_source_that_can_spare_a_row_is_validated(labels, fraction, seed):
    names, y = map(np.array, zip(*labels))

    held = quiet_held_out(fraction, sources_of(names), y, seed)

    for name in set(names):
        _, sizes = np.unique(y[names == name], return_counts=True)
        assert held[names == name].any() == (sizes.max() > 1)


@given(n_a=st.integers(1, 30), n_b=st.integers(1, 30), fraction=FRACTIONS, seed=SEEDS)
def test_of_numbers_too_every_source_keeps_rows_to_train_on(n_a, n_b, fraction, seed):
    names = np.repeat(["a", "b"], [n_a, n_b])
    y = np.random.default_rng(seed).normal(size=n_a + n_b)

    held = quiet_held_out(fraction, sources_of(names), y, seed, classes=False)

    for name, n in (("a", n_a), ("b", n_b)):
        n_held = held[names == name].sum()
        assert n_held < n
        assert abs(n_held - fraction * n) <= 1


def test_each_tenth_of_the_targets_gives_its_share():
    y = np.random.default_rng(0).normal(size=200)
    held = held_out(0.2, sources_of(["a"] * 200), y, seed=3, classes=False)

    by_tenth = held[np.argsort(y)].reshape(10, 20).sum(axis=1)

    assert set(by_tenth) == {4}


@given(seed=SEEDS)
def test_the_same_seed_holds_out_the_same_rows_whatever_they_hold(seed):
    names, y = np.repeat(["a", "b"], 30), np.tile([0, 1], 30)
    sources = sources_of(names)

    once = held_out(0.3, sources, y, seed)

    np.testing.assert_array_equal(once, held_out(0.3, sources, y, seed))
    np.testing.assert_array_equal(once, held_out(0.3, sources_of(names), y * 7, seed))
    assert (once != held_out(0.3, sources, y, seed + 1)).any()


def test_a_dict_says_which_sources_are_validated_and_by_how_much():
    names, y = np.repeat(["a", "b", "c"], 40), np.tile([0, 1], 60)

    held = held_out({"a": 0.25, "c": 0.5}, sources_of(names), y, seed=0)

    n_held = {name: held[names == name].sum() for name in "abc"}
    assert n_held == {"a": 10, "b": 0, "c": 20}


@pytest.mark.parametrize("fraction", [None, 0, {}, {"a": None}])
def test_no_fraction_holds_nothing_out(fraction):
    X, y, source = two_sources()
    model = classifier(validation_fraction=fraction).fit(X, y, sample_source=source)

    assert not any("valid" in key for key in model.history_[-1] if key != "batches")
    assert model.n_samples_by_source_ == {"a": 40, "b": 24}


def test_the_rows_held_out_are_the_ones_not_counted():
    X, y, source = two_sources()
    model = classifier(validation_fraction=0.25).fit(X, y, sample_source=source)

    held = held_out(0.25, sources_of(source), y, model.history_[0]["seed"])

    kept = {name: int((~held[source == name]).sum()) for name in "ab"}
    assert model.n_samples_by_source_ == kept


@pytest.mark.parametrize("fraction", [1.0, -0.1, "some", True, {"a": 2}])
def test_a_fraction_is_a_part_of_the_rows(fraction):
    X, y, source = two_sources()
    message = "validation_fraction must be a part of the rows such as 0.2, a dict"
    with pytest.raises(SourceError, match=message):
        classifier(validation_fraction=fraction).fit(X, y, sample_source=source)


def test_a_fraction_for_a_source_that_is_not_there():
    X, y, source = two_sources()
    message = (
        r"validation_fraction names 'bb', which is not a source\. The sources are "
    )
    with pytest.raises(SourceError, match=message + r"\['a', 'b'\]\. Did you mean 'b'"):
        classifier(validation_fraction={"bb": 0.2}).fit(X, y, sample_source=source)


# What is kept -----------------------------------------------------------------


def validated(model, X, y, source):
    """Return the loss of each source's held-out rows, by the model's own answer."""
    held = held_out(0.2, sources_of(source), y, model.history_[0]["seed"])
    proba = model.predict_proba(X)
    return {
        name: log_loss(
            y[held & (source == name)], proba[held & (source == name)], labels=[0, 1]
        )
        for name in ("a", "b")
    }


@pytest.mark.slow
@pytest.mark.parametrize("primary", [None, "a", "b"])
@pytest.mark.parametrize("average", [None, "ema", "swa"])
def test_the_best_epoch_is_kept(primary, average):
    X, y, source = two_sources()
    model = classifier(max_epochs=25, lr=0.1, callbacks=[Ruins(20)])
    model.set_params(primary_source=primary, average=average)
    model.fit(X, y, sample_source=source)

    key = "valid_loss_macro" if primary is None else f"valid_loss[{primary}]"
    losses = validated(model, X, y, source)
    kept = np.mean(list(losses.values())) if primary is None else losses[primary]

    of_epochs = model.history_[:, key]
    assert min(of_epochs) < of_epochs[-1]
    assert kept == pytest.approx(min(of_epochs), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("primary", [1, 1.0, np.int64(1), True])
def test_the_primary_source_is_found_however_its_number_is_written(primary):
    X, y, source = two_sources()
    codes = (source == "b").astype(int)
    model = classifier(max_epochs=25, lr=0.1, primary_source=primary)
    model.fit(X, y, sample_source=codes)

    kept = validated(model, X, y, source)["b"]
    assert kept == pytest.approx(min(model.history_[:, "valid_loss[1]"]), rel=1e-4)


def test_the_last_epoch_is_kept_if_asked_for():
    X, y, source = two_sources()
    model = classifier(max_epochs=25, lr=0.1, keep="last")
    model.fit(X, y, sample_source=source)

    losses = validated(model, X, y, source)

    row = model.history_[-1]
    assert losses["a"] == pytest.approx(row["valid_loss[a]"], rel=1e-4)
    assert losses["b"] == pytest.approx(row["valid_loss[b]"], rel=1e-4)
    assert np.mean(list(losses.values())) == pytest.approx(row["valid_loss_macro"])


def test_the_best_macro_loss_so_far_is_marked_whatever_is_kept():
    X, y, source = two_sources()
    fraction = {"a": 0.2}  # the primary source is not validated
    model = classifier(
        max_epochs=12, lr=0.1, primary_source="b", validation_fraction=fraction
    )
    with pytest.warns(SourceWarning, match="primary_source='b' has no validation row"):
        history = model.fit(X, y, sample_source=source).history_

    losses = np.array(history[:, "valid_loss_macro"])
    before = np.minimum.accumulate(np.r_[np.inf, losses[:-1]])
    assert history[:, "valid_loss_macro_best"] == list(losses < before)


# Rows of one's own ------------------------------------------------------------


def test_validation_data_is_what_the_losses_are_of():
    X, y, source = two_sources()
    X_new, y_new, source_new = two_sources(seed=1)
    model = classifier(max_epochs=3, keep="last")

    model.fit(X, y, sample_source=source, validation_data=(X_new, y_new, source_new))

    proba, row = model.predict_proba(X_new), model.history_[-1]
    assert model.n_samples_by_source_ == {"a": 40, "b": 24}
    for name in ("a", "b"):
        own = source_new == name
        expected = log_loss(y_new[own], proba[own])
        assert row[f"valid_loss[{name}]"] == pytest.approx(expected, rel=1e-4)


def test_validation_data_may_hold_its_source_as_a_column():
    X, y, source = two_sources()
    X_new, y_new, source_new = two_sources(seed=1)
    frame = pd.DataFrame(X, columns=list("uvw")).assign(ward=source)
    new = pd.DataFrame(X_new, columns=list("uvw")).assign(ward=source_new)

    by_column = classifier(source="ward").fit(frame, y, validation_data=(new, y_new))
    by_keyword = classifier().fit(
        X, y, sample_source=source, validation_data=(X_new, y_new, source_new)
    )

    of_losses = slice(None), "valid_loss_macro"
    np.testing.assert_allclose(
        by_column.history_[of_losses], by_keyword.history_[of_losses], rtol=1e-5
    )


def test_validation_data_of_one_source_alone_validates_that_one():
    X, y, source = two_sources()
    X_new, y_new = X[source == "b"], y[source == "b"]
    model = classifier().fit(
        X, y, sample_source=source, validation_data=(X_new, y_new, ["b"] * 24)
    )

    row = model.history_[-1]
    assert "valid_loss[a]" not in row
    assert row["valid_loss[b]"] == row["valid_loss_macro"]


def test_without_sources_validation_data_needs_none():
    X, y, _ = two_sources()
    with pytest.warns(SourceWarning, match="Only one source"):
        model = classifier().fit(X, y, validation_data=(X[:9], y[:9]))

    assert model.history_[-1]["valid_loss[all]"] > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda X, y, s: (X,),
            r"must be \(X, y\) or \(X, y, sample_source\), got 1 pa",
        ),
        (
            lambda X, y, s: (X, y, s, s),
            "sample_source), got 4 parts".replace(")", r"\)"),
        ),
        (lambda X, y, s: 3, r"must be \(X, y\) or .*, got int"),
        (lambda X, y, s: {"X": X, "y": y}, r"must be \(X, y\) or .*, got dict"),
        (lambda X, y, s: (X[:, :2], y, s), "The columns of validation_data are not th"),
        (
            lambda X, y, s: (X, y),
            "needs each row's source, by which its lo",
        ),
        (lambda X, y, s: (X, y + 5, s), r"y holds \[5, 6\], which fit did not see"),
        (lambda X, y, s: (X, y[:9], s), "inconsistent numbers of samples"),
    ],
    ids=["one", "four", "int", "dict", "columns", "no_source", "label", "lengths"],
)
def test_validation_data_that_does_not_fit(change, message):
    X, y, source = two_sources()
    with pytest.raises(ValueError, match=message):
        classifier().fit(
            X, y, sample_source=source, validation_data=change(X, y, source)
        )


def test_rows_of_a_source_that_does_not_train_can_be_validated_on():
    X, y, source = two_sources()
    X_new, y_new, _ = two_sources(seed=1)
    model = classifier(max_epochs=3, keep="last")

    with pytest.warns(
        SourceWarning, match=r"rows of \['bb'\].*Did you mean 'b'\?"
    ) as caught:
        model.fit(
            X,
            y,
            sample_source=source,
            validation_data=(X_new, y_new, ["bb"] * len(y_new)),
        )

    assert caught[0].filename == __file__
    loss = log_loss(y_new, model.predict_proba(X_new))
    assert model.history_[-1]["valid_loss[bb]"] == pytest.approx(loss, rel=1e-5)
    assert model.history_[-1]["valid_loss_macro"] == pytest.approx(loss, rel=1e-5)


def test_what_is_learned_by_source_cannot_validate_on_another():
    X, y, source = two_sources()
    model = classifier(scale_by="source")

    with pytest.raises(SourceError, match=r"has rows of \['c'\], which have no traini"):
        model.fit(X, y, sample_source=source, validation_data=(X, y, ["c"] * len(y)))


def test_validation_data_meets_no_step_in_front():
    X, y, source = two_sources()
    pipe = make_pipeline(PolynomialFeatures(), classifier())
    params = {"sample_source": source, "validation_data": (X, y, source)}
    message = "Preprocessing in front of SharedNet is not applied to it"
    with pytest.raises(SourceError, match=message):
        pipe.fit(X, y, **{f"sharednet__{key}": v for key, v in params.items()})


# Warnings ---------------------------------------------------------------------


def the_warning(record):
    (warning,) = record
    assert warning.filename == __file__
    return str(warning.message)


def test_a_forgotten_source_is_told_of_once():
    X, y, _ = two_sources()
    with pytest.warns(SourceWarning) as record:
        classifier().fit(X, y)

    told = "Only one source, 'all': nothing to alternate with. Pass sample_source"
    assert the_warning(record).startswith(told)


def test_a_source_with_a_single_class_is_told_of_once():
    X, y, source = two_sources()
    y[source == "b"] = 1
    with pytest.warns(SourceWarning) as record:
        classifier().fit(X, y, sample_source=source)

    assert the_warning(record).startswith("The source 'b' has a single class, 1: its")


def test_a_source_too_small_to_validate_is_told_of_once():
    X, y, source = two_sources(n_a=40, n_b=2)
    y[-2:] = [0, 1]
    with pytest.warns(SourceWarning) as record:
        model = classifier().fit(X, y, sample_source=source)

    assert the_warning(record).startswith("The source 'b' has 2 rows, too few to hold")
    assert "valid_loss[b]" not in model.history_[-1]


def test_of_numbers_one_row_is_too_few_to_validate():
    X, _, source = two_sources(n_a=40, n_b=1)
    net = default_net("regression", max_epochs=2)
    with pytest.warns(SourceWarning) as record:
        SharedNet(net, scale_target_by=None).fit(X, X[:, 0], sample_source=source)

    assert the_warning(record).startswith("The source 'b' has 1 row, too few to hold")
