"""What several tests of members need."""

import pytest

from sktandem.nn import default_net


@pytest.fixture
def quick():
    """Return how a net is made that trains in no time."""

    def make(task="classification"):
        return default_net(task, max_epochs=2, module__hidden_sizes=(4,))

    return make
