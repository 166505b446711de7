"""Settings of engines as a config gives them: plain data, which the engines themselves declare."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pyveg.core import params, registry
from pyveg.core.errors import ConfigError, MissingPackageError, UnknownNameError
from pyveg.core.texts import brief

Engines = Mapping[str, Mapping[str, Any]]
"""Name of an engine -> its settings that were given."""


def settings_of(name: str, given: Mapping[str, Any], where: str = "") -> Any:
    """The settings of an engine, of the class that it declares.

    Parameters
    ----------
    name : str
        An entry point's name or ``package.module:Class``.
    given : mapping
    where : str
        Begins the messages of errors; ``engines["<name>"]`` where left out.

    Raises
    ------
    ConfigError
        If a setting is unknown, wrong or a secret. The message never shows a secret.
    """
    where = where or f'engines["{name}"]'
    return _build(registry.runner_class(name, where).Settings, given, where)


def _build(cls: type[Any], given: Mapping[str, Any], where: str) -> Any:
    for setting, spec in params.names(cls).items():
        if setting in given and spec.metadata.get("secret"):
            raise ConfigError(
                f'{where}: "{setting}" is a secret, and a config is kept with its results',
                f"leave it out ({spec.metadata['doc']})",
            )
    return params.build(cls, given, where)


def check(engines: Engines, used: Collection[str]) -> list[str]:
    """Look at all settings of engines.

    Parameters
    ----------
    engines : mapping
    used : collection of str
        Names of the engines that have something to do.

    Returns
    -------
    list of str
        What the user should know.

    Raises
    ------
    ConfigError
        If there is no such engine, or it has no such setting.
    """
    notes = []
    for name, given in engines.items():
        if not isinstance(name, str) or (name not in registry.known("runner") and ":" not in name):
            raise UnknownNameError("engine", name, registry.known("runner"), "engines")
        if not isinstance(given, Mapping):
            raise ConfigError(
                f'engines["{name}"] = {brief(given)} is no dictionary', "write {setting: value}"
            )
        try:
            settings_of(name, given)
        except MissingPackageError:
            if name in used:
                raise
        if given and name not in used:
            notes.append(
                f'engines["{name}"] ({", ".join(given)}) has no effect: no Module has '
                f'run_mode = "{name}", nor is runner = "{name}"'
            )
    return notes


def joined(below: Engines, above: Engines) -> dict[str, dict[str, Any]]:
    """Two sets of settings as one; where both give a setting, that of `above` holds.

    Raises
    ------
    ConfigError
        If they are no dictionaries.
    """
    for engines in (below, above):
        if not (isinstance(engines, Mapping) and all(map(_is_mapping, engines.values()))):
            raise ConfigError(
                f"engines = {brief(engines)} is not right", "give {engine: {setting: value}}"
            )
    names = dict.fromkeys([*below, *above])
    return {name: {**below.get(name, {}), **above.get(name, {})} for name in names}


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def old_names() -> dict[str, tuple[str, str]]:
    """Names at the top of older configs -> the engine and the setting that each is now."""
    return {
        old: (name, setting)
        for name, cls in registry.runner_classes().items()
        for old, setting in getattr(cls, "old_names", {}).items()
    }


def with_old(engines: Engines, given: Mapping[str, Any], where: str) -> dict[str, dict[str, Any]]:
    """Settings of engines, those that were given by older names included.

    Parameters
    ----------
    engines : mapping
    given : mapping
        Older name, one of `old_names` -> value.
    where : str
        Begins the messages of errors.

    Raises
    ------
    ConfigError
        If a setting is given by both names, and differently.
    """
    merged = joined(engines, {})
    known = old_names()
    for old, value in given.items():
        name, setting = known[old]
        settings = merged.setdefault(name, {})
        if settings.setdefault(setting, value) != value:
            raise ConfigError(
                f'{where}: {old} = {value!r}, but engines["{name}"]["{setting}"] = '
                f"{settings[setting]!r}",
                f"leave out {old}, the older name of the same setting",
            )
    return merged


def from_record(engines: Engines, given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Settings of engines from the record of a run, which may have some under older names.

    Such records hold every name, so a value that is the engine's default says nothing.

    Raises
    ------
    ConfigError
        If no engine that is installed here has one of the names.
    """
    known = old_names()
    for old in given:
        if old not in known:
            raise ConfigError(
                f'the record of the run has "{old}", which no engine here has',
                "install the packages that it was made with",
            )
    return with_old(engines, dict(_meant(given, known)), "record of the run")


def _meant(
    given: Mapping[str, Any], known: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, Any]]:
    classes = registry.runner_classes()
    for old, value in given.items():
        name, setting = known[old]
        if value != params.names(classes[name].Settings)[setting].default:
            yield old, value
