"""Settings that do not depend on the environment of the test run."""

from typing import Any, override

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from shared.settings import Settings


class IsolatedSettings(Settings):
    """Settings from arguments and defaults alone."""

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def make_settings(**values: Any) -> Settings:
    """Settings of a local installation, changed by ``values``."""
    return IsolatedSettings(**{"environment": "local", **values})
