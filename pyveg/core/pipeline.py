"""A Pipeline: the whole job for one place and date range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyveg.core import params, planner
from pyveg.core.planner import Plan
from pyveg.core.sequence import Sequence

FORMAT = 2
"""Version of the JSON that `Pipeline.to_json` writes."""


@dataclass(frozen=True)
class Pipeline:
    """The whole job, settled: nothing in it depends on files or the environment any more."""

    name: str
    sequences: tuple[Sequence, ...]
    output_location: str
    output_location_type: str = "local"
    runner: str = "processes"
    """The local engine: ``processes``, ``threads``, ``serial`` or ``dask``."""
    dask_scheduler: str = "local"
    """Where Tasks on Dask go: an address, the JSON file that has it, or ``local``."""
    n_workers: int | None = None
    """How many Tasks may run at once; None: one per core."""
    analysis: bool | Mapping[str, Any] = False
    """Whether the results are analysed when the run ends, or with which settings."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Facts for the summary: config_filename, coords_id, pattern_type."""
    warnings: tuple[str, ...] = ()
    """What the user should know about the config."""

    def plan(self) -> Plan:
        """Make and check all Tasks; nothing runs.

        Raises
        ------
        ConfigError
            If the job cannot work as it is described.
        """
        return planner.plan(self.sequences, self.about, self.warnings)

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back; what a run keeps to be resumed."""
        return {
            "format": FORMAT,
            "name": self.name,
            "sequences": [sequence.to_json() for sequence in self.sequences],
            "output_location": self.output_location,
            "output_location_type": self.output_location_type,
            "runner": self.runner,
            "dask_scheduler": self.dask_scheduler,
            "n_workers": self.n_workers,
            "analysis": params.plain(self.analysis),
            "about": dict(self.about),
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Pipeline:
        """Read what `to_json` wrote."""
        rest = {key: value for key, value in data.items() if key != "format"}
        rest["sequences"] = tuple(Sequence.from_json(part) for part in data["sequences"])
        rest["warnings"] = tuple(data["warnings"])
        return cls(**rest)
