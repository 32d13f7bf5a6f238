"""Every rule can be switched off, so that a run without it shows whether the oracles miss it."""

import pytest

from tests.simulation.without import SWITCHES, switched_off


@pytest.mark.parametrize("rule", SWITCHES)
def test_every_switch_names_what_the_product_has(rule: str) -> None:
    with switched_off(rule):
        pass
    with pytest.raises(KeyError), switched_off(f"{rule} of nobody"):
        pass
