"""The Batch account: whether enough is known of it, and how one logs in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from pyveg.azure_config import AzureConfig
from pyveg.core.errors import ConfigError


def credential(config: AzureConfig) -> Callable[[], Any]:
    """Makes what the SDK signs requests to the Batch account with."""

    def make() -> Any:
        if config.batch_account_key:
            from azure.core.credentials import AzureNamedKeyCredential

            return AzureNamedKeyCredential(config.batch_account_name, config.batch_account_key)
        from azure.identity import DefaultAzureCredential

        return DefaultAzureCredential()

    return make


def check_account(config: AzureConfig) -> None:
    """Refuse an account that is not named, or cannot be logged in to.

    Raises
    ------
    ConfigError
    """
    for name in ("batch_account_name", "batch_account_url"):
        if not getattr(config, name):
            raise ConfigError(
                f"{config.source}: {name} is missing",
                "write an azure_config.py with pyveg_azure_config and fill it in",
            )
    if not config.batch_account_key and urlsplit(config.batch_account_url).scheme != "https":
        raise ConfigError(
            f"{config.source}: a login works with https only",
            "set batch_account_key, or write batch_account_url with https",
        )
