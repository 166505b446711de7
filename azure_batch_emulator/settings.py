"""What an emulator is told when it is made."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from azure_batch_emulator.faults import Faults

API_VERSIONS = frozenset({"2025-06-01"})
"""Versions of the service's interface that the emulator speaks."""


def random_key() -> str:
    """A new account key: 64 bytes in base64, as the service has them."""
    return base64.b64encode(secrets.token_bytes(64)).decode()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How an emulator is set up.

    Parameters
    ----------
    account : str
        Name of the Batch account.
    key : str
        Its key, base64; a random one by default. Not shown by ``repr``.
    host : str
        Where it listens. Whoever reaches it and has the key can run commands on this machine.
    port : int
        0 takes a free one.
    location : Path or None
        Where nodes keep their files; None makes a temporary folder that `stop` removes.
    shared_key : bool
        False switches keys off, as an account can.
    bearer_tokens : frozenset of str
        The tokens that are accepted. None are by default.
    containers_as_processes : bool
        Accept container settings and run their commands as plain processes. Refused by default.
    environment : mapping of str to str
        Variables that every task on every node gets.
    autoscale_minute : float
        How many seconds a minute of autoscaling lasts: samples are taken twice in it, and
        evaluation intervals and the time intervals of formulas are counted in it.
    faults : Faults
        What goes wrong; `Emulator.faults` changes it later.
    """

    account: str = "emulated"
    key: str = field(default_factory=random_key, repr=False)
    host: str = "127.0.0.1"
    port: int = 0
    location: Path | None = None
    shared_key: bool = True
    bearer_tokens: frozenset[str] = field(default=frozenset(), repr=False)
    containers_as_processes: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    autoscale_minute: float = 60.0
    faults: Faults = field(default_factory=Faults)
