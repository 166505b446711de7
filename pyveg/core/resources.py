"""What a Task needs of its machine, as the setting ``resources`` of its Module says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyveg.core import params
from pyveg.core.errors import ConfigError
from pyveg.core.params import setting

GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one Task of a Module needs.

    Examples
    --------
    >>> of({"memory_gb": 4, "retry_memory_gb": 8}, "config").memory_gb
    4
    """

    memory_gb: float = setting(
        0.0, doc="memory that it may have, GiB, programs included; 0: not said", low=0, high=1e5
    )
    cpus: float = setting(0.0, doc="cores that it keeps busy; 0: not said", low=0, high=1024)
    gpu: int = setting(0, doc="graphics processors that it needs", low=0, high=64)
    retry_memory_gb: float = setting(
        0.0, doc="memory of one more try where it died of too little; 0: none", low=0, high=1e5
    )

    @property
    def said(self) -> bool:
        """Whether anything is."""
        return bool(self.memory_gb or self.cpus or self.gpu)

    @property
    def most_gb(self) -> float:
        """Memory of its largest try, GiB."""
        return max(self.memory_gb, self.retry_memory_gb)


def of(given: Mapping[str, Any], where: str) -> Resources:
    """Resources from plain data.

    Parameters
    ----------
    given : mapping
        What the user wrote.
    where : str
        Begins the messages of errors.

    Raises
    ------
    ConfigError
        For a name that is none, a value beyond its limits, or a second try with no more memory.
    """
    found = params.build(Resources, given, where)
    if found.retry_memory_gb and found.retry_memory_gb <= found.memory_gb:
        raise ConfigError(
            f"{where}: retry_memory_gb = {found.retry_memory_gb:g} is not more than memory_gb = "
            f"{found.memory_gb:g}",
            "raise it or leave it out",
        )
    return found
