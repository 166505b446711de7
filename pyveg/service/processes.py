"""The processes that are offered: those built in, and files of the operator.

The file of a process is a config, and besides has

``Inputs``
    a frozen dataclass of settings (`pyveg.core.params.setting`): what callers give, typed;
``settings(inputs)``, optional
    a function that makes settings of a config from them; where it is left out, each input is the
    setting of its own name;
``title``, ``version``, ``some_failed``, optional
    what it is called, and whether a job of which some tasks failed is ``"failed"`` or
    ``"successful"``.

The docstring of the file is the description. What callers give becomes values of settings; nothing
of it is executed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from importlib import import_module
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any, Literal

from pyveg.core.errors import ConfigError, PyvegError, UnknownNameError
from pyveg.jobs.load import names_in, settings_in
from pyveg.service import inputs as typed
from pyveg.service.config import ServiceConfig
from pyveg.service.records import Caller
from pyveg.service.refusals import NO_PROCESS, Refusal

Settings = dict[str, Any]
SomeFailed = Literal["failed", "successful"]

BUILT_IN = {
    "resilience": "pyveg.service.builtin.resilience",
    "run-command": "pyveg.service.builtin.run_command",
    "score-images": "pyveg.service.builtin.score_images",
    "train": "pyveg.service.builtin.train",
    "promote": "pyveg.service.builtin.promote",
    "predict": "pyveg.service.builtin.predict",
    "cameras": "pyveg.service.builtin.cameras",
}
_OWN = ("Inputs", "settings", "title", "version", "some_failed")
_MODULE = "pyveg_process"
"""Files of processes are modules with names below this one."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Process:
    """Something that jobs can be made of."""

    id: str
    title: str
    description: str
    inputs: type
    """A frozen dataclass of settings."""
    make: Callable[[Any], Settings]
    """From its inputs to the settings of a config."""
    check: Callable[[Any], None] = lambda _: None
    """Refuses inputs for more than their types; raises `ConfigError`."""
    allow: Callable[[Caller, Any], None] = lambda _, __: None
    """Refuses inputs that are somebody else's; raises `Refusal`."""
    gather: Callable[[Any, Path], Settings] | None = None
    """In place of `make`, in the process of a job and with its folder: for what is found out by
    asking others, once, before the run is planned."""
    version: str = "1"
    some_failed: SomeFailed = "failed"
    """How a job is of which some Tasks failed."""
    filename: str = ""
    """What results name as their config. Empty where programs of the operator are run: a file of
    that name in their folder would be taken for it, and not be sent with them."""

    def schema(self) -> dict[str, dict[str, Any]]:
        """The inputs as OGC API - Processes describes them."""
        return typed.schema_of(self.inputs)

    def input_list(self) -> list[typed.InputField]:
        """The inputs as a form shows them."""
        return typed.fields_of(self.inputs)

    def from_form(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """Inputs from the texts of a form."""
        return typed.from_form(self.inputs, fields)

    def settings(self, given: Any, folder: Path) -> Settings:
        """The settings of a config for checked inputs.

        Parameters
        ----------
        given : object
            As `checked` gives them.
        folder : Path
            Of the job.
        """
        return self.make(given) if self.gather is None else self.gather(given, folder)

    def checked(self, given: Any) -> Any:
        """The inputs of a job from what a caller gave.

        Raises
        ------
        Refusal
            422, with what is wrong and where.
        """
        made = typed.check(self.inputs, given)
        try:
            self.check(made)
        except ConfigError as error:
            raise Refusal(422, error.wrong, error.cure, pointer="/inputs") from None
        return made


class Processes:
    """All processes; a file that has changed is read again.

    Parameters
    ----------
    config : ServiceConfig
    """

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._guard = Lock()
        self._read: dict[str, tuple[tuple[float, int], Process | PyvegError]] = {}
        self._built_in: dict[str, Process] = {}
        for name in config.offered:
            if name not in BUILT_IN:
                raise UnknownNameError("process", name, BUILT_IN, "offered")
            made = import_module(BUILT_IN[name]).process(config)
            if made is not None:
                self._built_in[name] = made

    def all(self) -> list[Process]:
        """Those that can be used, by name."""
        return sorted(self._all().values(), key=lambda one: one.id)

    def get(self, name: str) -> Process:
        """The process of that name.

        Raises
        ------
        Refusal
            404 where there is none; 503 where its file has an error.
        """
        found = self._all()
        if name in found:
            return found[name]
        for path, error in self.troubles().items():
            if Path(path).stem == name:
                raise Refusal(503, error.wrong, error.cure, retry_after=60)
        error = UnknownNameError("process", name, found)
        raise Refusal(404, error.wrong, error.cure, kind=NO_PROCESS)

    def troubles(self) -> dict[str, PyvegError]:
        """Files that cannot be used, and why."""
        return {
            path: made
            for path in self._config.processes
            if isinstance(made := self._of_file(path), PyvegError)
        }

    def _all(self) -> dict[str, Process]:
        files = [self._of_file(path) for path in self._config.processes]
        own = {made.id: made for made in files if isinstance(made, Process)}
        return {**self._built_in, **own}

    def _of_file(self, path: str) -> Process | PyvegError:
        with self._guard:
            state = _state(path)
            if path not in self._read or self._read[path][0] != state:
                self._read[path] = state, _tried(path)
            return self._read[path][1]


def read(path: str) -> Process:
    """The process of a file.

    Raises
    ------
    ConfigError
        If the file is missing, has an error, or is no process.
    """
    name = Path(path).stem
    if not _ID.fullmatch(name):
        raise ConfigError(
            f"the process file {path} has no name that a process can have",
            "call it by letters, digits, dots, hyphens and underscores, and .py",
        )
    # A module of its own, since the types of dataclasses are looked up in that.
    module = sys.modules[f"{_MODULE}.{name}"] = ModuleType(f"{_MODULE}.{name}")
    names = names_in(path, vars(module))
    given = names.get("Inputs")
    if not isinstance(given, type) or not is_dataclass(given):
        raise ConfigError(
            f"the process file {path} has no inputs",
            "write a frozen dataclass Inputs in it, with a setting for each input",
        )
    some_failed = names.get("some_failed", "failed")
    if some_failed not in ("failed", "successful"):
        raise ConfigError(
            f"{path}: some_failed = {some_failed!r} is not right", 'give "failed" or "successful"'
        )
    typed.schema_of(given)
    fixed = settings_in({key: value for key, value in names.items() if key not in _OWN})
    doc = str(names.get("__doc__") or "").strip()
    return Process(
        id=name,
        title=str(names.get("title") or doc.partition("\n")[0] or name),
        description=doc,
        inputs=given,
        make=_maker(path, fixed, names.get("settings")),
        version=str(names.get("version", "1")),
        some_failed=some_failed,
        filename=Path(path).name,
    )


def _maker(path: str, fixed: Settings, function: Any) -> Callable[[Any], Settings]:
    def make(given: Any) -> Settings:
        if function is None:
            return {**fixed, **vars(given)}
        made = function(given)
        if not isinstance(made, Mapping):
            raise ConfigError(f"{path}: settings() gives no dictionary", "return {setting: value}")
        return {**fixed, **made}

    return make


def _tried(path: str) -> Process | PyvegError:
    try:
        return read(path)
    except PyvegError as error:
        return error
    except Exception as error:  # noqa: BLE001 - types that nothing can be made of are anyone's
        return ConfigError(f"the process file {path} cannot be used: {error}", "mend that file")


def _state(path: str) -> tuple[float, int]:
    try:
        found = Path(path).stat()
    except OSError:
        return 0.0, -1
    return found.st_mtime, found.st_size
