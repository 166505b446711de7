"""What a config may say of the Batch account: the settings of azure_config.py that are about it.

They are declared once, in `pyveg.azure_config`. What a config says goes before that file; keys are
read from there alone, since a config is kept with its results.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, make_dataclass
from typing import Any, get_type_hints

from pyveg.azure_config import AzureConfig, load, with_given
from pyveg.core.params import setting

WHERE = 'engines["batch"]'
_OF_THE_STORE = ("storage_account_name", "storage_account_key", "storage_account_url", "source")


def _declared() -> Iterator[tuple[str, Any, Any]]:
    """Name, type and declaration of each; None is for "as azure_config.py has it"."""
    hints = get_type_hints(AzureConfig)
    for spec in fields(AzureConfig):
        if spec.name not in _OF_THE_STORE:
            limits = {key: spec.metadata[key] for key in ("doc", "low", "high", "secret")}
            yield spec.name, hints[spec.name] | None, setting(None, **limits)


BatchOptions = make_dataclass(
    "BatchOptions", _declared(), frozen=True, kw_only=True, namespace={"__module__": __name__}
)
BatchOptions.__doc__ = "The settings of `AzureBatchEngine`."


def config_of(options: Any) -> AzureConfig:
    """All that is known of the accounts: azure_config.py, and what a config says instead of it.

    Raises
    ------
    ConfigError
        If something of it is wrong; the message never shows a key.
    """
    found = load()
    given = {
        spec.name: value
        for spec in fields(options)
        if (value := getattr(options, spec.name)) is not None
    }
    if not given:
        return found
    source = f"{WHERE} and {found.source}"
    return with_given(found, {**given, "source": source}, WHERE)
