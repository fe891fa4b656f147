"""scikit-learn's own checks on SharedTextNet, in both routing modes.

They are made of numbers, so that scikit-learn leaves an estimator of texts alone.
Those that fit nothing are asked for here; what the others claim, such as pickles and
subsets, test_texts claims of texts.
"""

import pytest
from sklearn import config_context
from sklearn.utils.estimator_checks import estimator_checks_generator
from small_texts import tiny

from sktandem.text import SharedTextNet

pytestmark = pytest.mark.contract

FITTING_NOTHING = {
    "check_decision_proba_consistency",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_unfitted",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_transformers_unfitted",
    "check_valid_tag_types",
}


class OfTables(SharedTextNet):
    """One that says it takes numbers, as scikit-learn gives up on others."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


def checks():
    for heads in ("shared", "source"):
        for own, check in estimator_checks_generator(OfTables(tiny(), heads=heads)):
            name = getattr(check, "func", check).__name__
            if name in FITTING_NOTHING:
                yield pytest.param(own, check, id=f"{heads}-{name}")


@pytest.mark.parametrize("routing", [False, True], ids=["routing_off", "routing_on"])
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_every_check_that_fits_nothing_passes(estimator, check, routing):
    with config_context(enable_metadata_routing=routing):
        check(estimator)
