"""A Pipeline: the whole job for one place and date range."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pyveg.core import engines as engine_settings
from pyveg.core import html, params, planner, prices
from pyveg.core.engines import Engines
from pyveg.core.limits import Limits
from pyveg.core.planner import Plan
from pyveg.core.sequence import Sequence
from pyveg.core.texts import LONGEST_REPR, cut

FORMAT = 2
"""Version of the JSON that `Pipeline.to_json` writes."""


@dataclass(frozen=True, repr=False)
class Pipeline:
    """The whole job, settled: nothing in it depends on files or the environment any more.

    Examples
    --------
    >>> import pyveg
    >>> pipeline = pyveg.load_pipeline("demo")
    >>> pipeline
    <Pipeline demo: SimulatedSentinel2, SimulatedWeather, combine>
    >>> pyveg.Pipeline.from_json(pipeline.to_json()) == pipeline
    True
    """

    name: str
    sequences: tuple[Sequence, ...]
    output_location: str
    output_location_type: str = "local"
    runner: str = "processes"
    """Name of the engine of Modules with the run mode ``local``."""
    n_workers: int | None = None
    """How many Tasks may run at once; None: one per core."""
    analysis: bool | Mapping[str, Any] = False
    """Whether the results are analysed when the run ends, or with which settings."""
    engines: Engines = field(default_factory=dict)
    """Name of an engine -> its settings; plain data without secrets."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Facts for the summary: config_filename, coords_id, pattern_type."""
    warnings: tuple[str, ...] = ()
    """What the user should know about the config."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    """What the run may use up, as `pyveg.core.limits.Limits` has it."""
    prices: Mapping[str, Any] = field(default_factory=dict)
    """What the user pays, as `pyveg.core.prices.Prices` has it."""
    webhook: Mapping[str, Any] = field(default_factory=dict)
    """How the run tells of itself, as `pyveg.jobs.messages.WebhookSettings` has it."""

    def __repr__(self) -> str:
        names = ", ".join(sequence.name for sequence in self.sequences)
        return cut(f"<Pipeline {self.name}: {names}>", LONGEST_REPR)

    def _repr_html_(self) -> str:
        rows = [
            (sequence.name, ", ".join(spec.cls.__name__ for spec in sequence.modules))
            for sequence in self.sequences
        ]
        where = f"{self.output_location} ({self.output_location_type}), engine {self.runner}"
        title = f"Pipeline {self.name}"
        return html.table(title, ["sequence", "modules"], rows, [where, *self.warnings])

    def plan(self) -> Plan:
        """Make and check all Tasks; nothing runs.

        Raises
        ------
        ConfigError
            If the job cannot work as it is described.
        """
        plan = planner.plan(self.sequences, self.about, self.warnings)
        used = {self.engine_of(step.run_mode) for step in plan.graph.steps}
        notes = engine_settings.check(self.engines, used)
        return replace(plan, warnings=(*plan.warnings, *notes))

    def engine_of(self, run_mode: str) -> str:
        """Name of the engine that Tasks of a run mode go to."""
        return self.runner if run_mode == "local" else run_mode

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back; what a run keeps to be resumed."""
        return {
            "format": FORMAT,
            "name": self.name,
            "sequences": [sequence.to_json() for sequence in self.sequences],
            "output_location": self.output_location,
            "output_location_type": self.output_location_type,
            "runner": self.runner,
            "n_workers": self.n_workers,
            "engines": params.plain(self.engines),
            "analysis": params.plain(self.analysis),
            "about": dict(self.about),
            "warnings": list(self.warnings),
            "limits": params.plain(self.limits),
            "prices": params.plain(self.prices),
            "webhook": params.plain(self.webhook),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Pipeline:
        """Read what `to_json` wrote."""
        names = {spec.name for spec in fields(cls)}
        rest = {key: value for key, value in data.items() if key in names}
        older = {key: data[key] for key in data if key not in (*names, "format")}
        if older:
            rest["engines"] = engine_settings.from_record(data.get("engines", {}), older)
        sequences = tuple(Sequence.from_json(part) for part in rest.pop("sequences"))
        hints = typing.get_type_hints(cls)
        checked = {
            name: params.convert(value, hints[name], name, "run.json", kept=False)
            for name, value in rest.items()
        }
        made = cls(sequences=sequences, **checked)
        _check_record(made)
        return made


def _check_record(made: Pipeline) -> None:
    """Refuse what no config could have said.

    Raises
    ------
    ValueError
    """
    if made.n_workers is not None and made.n_workers < 1:
        raise ValueError(f"n_workers = {made.n_workers}")
    if not all(isinstance(given, Mapping) for given in made.engines.values()):
        raise ValueError("engines are no dictionaries")
    if not all(value is None or isinstance(value, str) for value in made.about.values()):
        raise ValueError("about is no dictionary of texts")
    params.build(Limits, made.limits, "limits")
    prices.build(made.prices)
