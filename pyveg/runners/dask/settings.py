"""What the engine of Dask is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LOCAL = "local"
"""Instead of an address: workers of this machine, for this run alone."""


@dataclass(frozen=True)
class DaskSettings:
    """What the engine is told."""

    scheduler: str = LOCAL
    """Address of a scheduler, the JSON file that has it, or ``"local"``."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables that open the Store on a worker; they may hold secrets, so no text shows them."""
    modules: tuple[str, ...] = ()
    """Modules that workers must have, as they are named in Tasks."""
