"""What a config tells the engine of Dask, and whether that can work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pyveg.core.errors import ConfigError
from pyveg.core.loopback import is_loopback
from pyveg.core.params import setting
from pyveg.core.ports import Store

LOCAL = "local"
"""Instead of an address: workers of this machine, for this run alone."""
_SAFE = ("tls", "wss")


@dataclass(frozen=True, kw_only=True)
class DaskSettings:
    """The settings of `DaskRunner`."""

    scheduler: str = setting(
        LOCAL,
        doc='address of a Dask scheduler, its JSON file, or "local": workers of this machine',
    )


def check_address(scheduler: str) -> None:
    """Refuse an address that can be none, before anything is started.

    Raises
    ------
    ConfigError
    """
    if scheduler == LOCAL:
        return
    if scheduler.endswith(".json"):
        if not Path(scheduler).expanduser().is_file():
            raise ConfigError(
                f"dask: scheduler: there is no file {scheduler}",
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
            f'dask: scheduler = "{scheduler}" is no address of a scheduler',
            'give "tcp://HOST:8786" or "tls://HOST:8786", the JSON file of `dask scheduler '
            '--scheduler-file`, or "local"',
        )


def notes(scheduler: str, store: Store) -> Iterator[str]:
    """What the user should know: who can read what is sent to the workers."""
    # Where any machine finds the Store, the right to it travels with the run.
    if store.address and _is_open(scheduler):
        yield (
            f"the right to {store.url} goes to {scheduler} unencrypted; use a scheduler with "
            "tls://, or a network that is yours"
        )


def _is_open(scheduler: str) -> bool:
    """Whether what is sent there can be read on the way."""
    parts = urlsplit(scheduler)
    if scheduler == LOCAL or parts.scheme in _SAFE or not parts.hostname:
        return False
    return not is_loopback(parts.hostname)
