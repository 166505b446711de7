"""Settings of the engine Dask, from the config, the Store and the plan."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pyveg.core.errors import ConfigError
from pyveg.jobs import azure

if TYPE_CHECKING:
    from pyveg.core.pipeline import Pipeline
    from pyveg.core.ports import Store
    from pyveg.core.tasks import Step
    from pyveg.runners.dask.settings import DaskSettings

NAME = "dask"
"""The engine's name, and the run mode of Tasks on it."""
LOCAL = "local"
_SAFE = ("tls", "wss")


def check(pipeline: Pipeline, engines: Sequence[str]) -> list[str]:
    """Refuse an address that can be none, before anything is started.

    Parameters
    ----------
    pipeline : Pipeline
    engines : sequence of str
        Names of the engines of the plan.

    Returns
    -------
    list of str
        What the user should know.

    Raises
    ------
    ConfigError
    """
    scheduler = pipeline.dask_scheduler
    if scheduler != LOCAL:
        _check_address(scheduler)
    if scheduler != LOCAL and NAME not in engines:
        return [
            'dask_scheduler has no effect: no Module has run_mode = "dask", nor is runner = "dask"'
        ]
    if pipeline.output_location_type == "azure" and _is_open(scheduler):
        return [
            f"the SAS of the run goes to {scheduler} unencrypted; use a scheduler with tls://, or "
            "a network that is yours"
        ]
    return []


def settings(pipeline: Pipeline, store: Store, steps: Sequence[Step]) -> DaskSettings:
    """Everything that the engine needs to know; may issue a SAS."""
    from pyveg.runners.dask.settings import DaskSettings

    variables = azure.environment_for(store)
    if pipeline.dask_scheduler != LOCAL:  # a path of this machine says nothing elsewhere
        variables.pop(azure.FILE_VARIABLE, None)
    return DaskSettings(
        scheduler=pipeline.dask_scheduler,
        environment=variables,
        modules=tuple(dict.fromkeys(step.module for step in steps)),
    )


def _check_address(scheduler: str) -> None:
    if scheduler.endswith(".json"):
        if not Path(scheduler).expanduser().is_file():
            raise ConfigError(
                f"config: dask_scheduler: there is no file {scheduler}",
                "start a scheduler with `dask scheduler --scheduler-file FILE`",
            )
        return
    parts = urlsplit(scheduler)
    try:
        whole = bool(parts.scheme and parts.hostname and parts.port)
    except ValueError:  # a port that is no number
        whole = False
    if not whole or "://" not in scheduler:
        raise ConfigError(
            f'config: dask_scheduler = "{scheduler}" is no address of a scheduler',
            'give "tcp://HOST:8786" or "tls://HOST:8786", the JSON file of `dask scheduler '
            '--scheduler-file`, or "local"',
        )


def _is_open(scheduler: str) -> bool:
    """Whether what is sent there can be read on the way."""
    parts = urlsplit(scheduler)
    if scheduler == LOCAL or parts.scheme in _SAFE or not parts.hostname:
        return False
    try:
        return not ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname != "localhost"
