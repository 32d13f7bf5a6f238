"""The two apps of the Durable SDK's suite, started once for all modules that ask them."""

from collections.abc import Iterator

import pytest

from tests.integration.functions_host.sdk_suite import SdkApp, running


@pytest.fixture(scope="session")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SdkApp]:
    """The app in the native style."""
    with running("sdk_native", tmp_path_factory.mktemp("native")) as found:
        yield found


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SdkApp]:
    """The app in the style of version 1."""
    with running("sdk_older", tmp_path_factory.mktemp("older")) as found:
        yield found
