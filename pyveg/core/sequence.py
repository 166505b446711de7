"""A Sequence: one collection and the Modules that work on it, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyveg.core import params, registry
from pyveg.core.module import Module, Settings, settings_of
from pyveg.core.tasks import plain_scope, scope_from_json
from pyveg.core.types import Scope


@dataclass(frozen=True)
class ModuleSpec:
    """A Module by its name, with its settings."""

    module: str
    """Name in the registry, or ``package.module:Class``."""
    settings: Settings

    @property
    def cls(self) -> type[Module[Any]]:
        """The Module's class."""
        module: type[Module[Any]] = registry.load("module", self.module)
        return module


@dataclass(frozen=True)
class Sequence:
    """One collection and the Modules that work on it; a combiner depends on other Sequences."""

    scope: Scope
    modules: tuple[ModuleSpec, ...]
    depends_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The collection's key in the config, or ``"combine"``."""
        return self.scope.sequence

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back."""
        return {
            "scope": plain_scope(self.scope),
            "modules": [[spec.module, params.to_json(spec.settings)] for spec in self.modules],
            "depends_on": list(self.depends_on),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sequence:
        """Read what `to_json` wrote."""
        specs = []
        for name, given in data["modules"]:
            module = registry.load("module", name)
            specs.append(ModuleSpec(name, settings_of(module, given)))
        before = params.convert(data["depends_on"], tuple[str, ...], "depends_on", "run.json")
        return cls(scope_from_json(data["scope"]), tuple(specs), before)
