"""Settings of `CommandModule`, and whether they can work together."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from pyveg import azure_config
from pyveg.core import module, registry
from pyveg.core.errors import ConfigError
from pyveg.core.params import setting
from pyveg.modules.command import application, environment, git, outputs, placeholders

_SHOWN = 5
"""Names of files that a warning lists."""
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class CommandSettings(module.Settings):
    """Settings of `CommandModule`."""

    command: tuple[str, ...] = setting(
        doc='program and arguments, such as ["python", "app.py", "{input}", "{output_dir}"]'
    )
    inputs: tuple[str, ...] = setting(
        doc="files, folders, patterns, @lists, prefixes of containers, URLs", results=False
    )
    application: str = setting(
        "", doc="folder of the application; empty for programs that are installed", results=False
    )
    repository: str = setting(
        "", doc="instead of a folder: address of a git repository", results=False
    )
    commit: str = setting("", doc="its commit, tag or branch; recorded as a full id", results=False)
    ignore: tuple[str, ...] = setting(
        (), doc="patterns of files that are no part of the application", results=False
    )
    requirements: str | None = setting(
        None,
        doc="file of the application that says what to install; None: requirements.txt or "
        'pyproject.toml, "": nothing',
    )
    outputs: tuple[str, ...] = setting(("**/*",), doc="patterns below {output_dir} of what is kept")
    allow_no_output: bool = setting(False, doc="an item without output has not failed")
    working_folder: Literal["application", "output"] = setting(
        "application", doc="folder that the command runs in: its own, or that for its output"
    )
    env: dict[str, str] = setting({}, doc="variables of each item; values may have placeholders")
    pass_env: tuple[str, ...] = setting(
        (), doc="names of your own variables that the command gets too", results=False
    )
    link_inputs: bool = setting(
        False,
        doc="give a link to inputs of this machine rather than a copy, for large ones that the "
        "program leaves alone",
        results=False,
    )
    retries: int = setting(
        0, doc="tries after the first that failed", low=0, high=100, results=False
    )
    retry_exit_codes: tuple[int, ...] = setting(
        (), doc="exit codes after which it is tried again; empty: any", results=False
    )
    retry_seconds: float = setting(
        0.0,
        doc="wait before the second try, seconds; twice as long before each further one",
        low=0,
        high=86_400,
        results=False,
    )
    items_per_task: int = setting(
        -1,
        doc="items that one task of a batch service does; -1: one, or as many as make 1000 tasks",
        low=-1,
        results=False,
    )


Warn = Callable[[str], None]
C = TypeVar("C", bound=CommandSettings)


def settled(settings: C, where: str, warn: Warn) -> C:
    """Settings with absolute paths and the full id of a commit, checked.

    Raises
    ------
    ConfigError
        For what cannot work.
    """
    _check_system(where)
    _check_command(settings, where)
    for pattern in settings.outputs:
        outputs.check_pattern(pattern, f"{where}: outputs")
    if not settings.inputs:
        raise ConfigError(f"{where}: inputs is empty", "name files, a folder or a pattern")
    if settings.items_per_task == 0:
        raise ConfigError(f"{where}: items_per_task = 0 does nothing", "give -1 or more than 0")
    # Paths in full, because the run may be finished from another folder.
    settings = replace(settings, inputs=registry.open_inputs(settings.inputs).settled())
    if settings.repository:
        return _settled_repository(settings, where)
    if settings.commit:
        raise ConfigError(
            f"{where}: commit belongs to a repository, which is not given",
            "give repository, or leave commit out",
        )
    if settings.application:
        return _settled_folder(settings, where, warn)
    if settings.requirements:
        raise ConfigError(f"{where}: requirements are a file of an application", "name its folder")
    if "application" in _used(settings, where):
        raise ConfigError(
            f"{where}: {{application}} stands for a folder, but there is none",
            "name the folder of your program as application",
        )
    # Without an application there is no folder of it to run in.
    return replace(settings, working_folder="output")


def _check_system(where: str) -> None:
    if sys.platform == "win32":
        raise ConfigError(f"{where}: commands run on Linux and macOS only", "use WSL on Windows")


def _check_command(settings: CommandSettings, where: str) -> None:
    if not settings.command or not settings.command[0]:
        raise ConfigError(f"{where}: command is empty", "give the program and its arguments")
    for name, value in settings.env.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name) and isinstance(value, str)):
            raise ConfigError(
                f"{where}: env: {name!r}: {value!r} is no variable",
                'write a name and a text, such as {"MODEL": "large"}',
            )
    if not _used(settings, where) & placeholders.OF_THE_ITEM:
        raise ConfigError(
            f"{where}: the command is the same for every item", "put {input} where the file goes"
        )


def _used(settings: CommandSettings, where: str) -> set[str]:
    """All placeholders of the command and the variables."""
    names: set[str] = set()
    for text in settings.command:
        names |= placeholders.check(text, f"{where}: command")
    for text in settings.env.values():
        names |= placeholders.check(text, f"{where}: env")
    return names


def _settled_repository(settings: C, where: str) -> C:
    if settings.application:
        raise ConfigError(
            f"{where}: application and repository are both given", "leave one of them out"
        )
    if not settings.commit:
        raise ConfigError(f"{where}: commit is missing", "give an id, a tag or a branch")
    address = settings.repository
    if Path(address).is_dir():
        address = str(Path(address).absolute())
    commit = git.resolve(address, settings.commit, where)
    return replace(settings, repository=address, commit=commit)


def _settled_folder(settings: C, where: str, warn: Warn) -> C:
    folder = Path(os.path.normpath(Path(settings.application).expanduser().absolute()))
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise ConfigError(
            f"{where}: the application {folder} {what}", "name the folder of your program"
        )
    environment.what_to_install(folder, settings.requirements)
    azure_config.learn()
    left_out = application.secrets_in(folder, settings.ignore)
    if left_out:
        more = f" and {len(left_out) - _SHOWN} more" if len(left_out) > _SHOWN else ""
        warn(
            f"no part of the application, since they hold secrets or their names say so: "
            f"{', '.join(left_out[:_SHOWN])}{more}"
        )
    size = application.size_of(folder, settings.ignore)
    if size > application.LARGE:
        warn(
            f"the application {folder} has {size / 2**20:.0f} MiB, which every machine unpacks; "
            "leave out what it does not need with ignore"
        )
    return replace(settings, application=str(folder))
