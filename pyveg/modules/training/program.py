"""A program of the user, or the reference one, as a command without a shell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pyveg.core.errors import ConfigError
from pyveg.core.params import setting
from pyveg.core.texts import brief
from pyveg.modules.command.settings import CommandSettings

_MADE = ("command", "inputs")


@dataclass(frozen=True, kw_only=True)
class ProgramSettings(CommandSettings):
    """What both programs are told, besides the settings of `CommandModule`."""

    command: tuple[str, ...] = setting((), doc="is made from script and options; leave it out")
    inputs: tuple[str, ...] = setting((), doc="is made; leave it out", results=False)
    script: str = setting(
        "", doc="program that is run, a file of Python; the reference one where empty"
    )
    options: tuple[str, ...] = setting((), doc="more arguments of it, each by itself")
    images: str = setting(
        "", doc="folder that paths of images begin at; that of their list if empty", results=False
    )


P = TypeVar("P", bound=ProgramSettings)


def settled(settings: P, own: Sequence[str], reference: str, listed: str, where: str) -> P:
    """Settings with the command and the input that they mean.

    Parameters
    ----------
    settings : ProgramSettings
    own : sequence of str
        Arguments of our own; they stand behind those of the user.
    reference : str
        Module that is run where there is no script; empty where there must be one.
    listed : str
        Path of the catalogue or manifest.
    where : str
        Begins the messages of errors.

    Raises
    ------
    ConfigError
        If the list or the script is not there, or a setting is given that is made here.
    """
    for name in _MADE:
        if getattr(settings, name):
            raise ConfigError(f"{where}: {name} is made from the others", f"leave out {name}")
    path = Path(listed).expanduser().absolute()
    if not path.is_file():
        raise ConfigError(f"{where}: there is no file {path}", "name one that is there")
    images = Path(settings.images).expanduser().absolute() if settings.images else path.parent
    program, application = ["-m", reference], settings.application
    if settings.script:
        program, application = _script(settings, where)
    elif not reference:
        raise ConfigError(f"{where}: script is missing", "name a program of Python")
    arguments = [literal(text) for text in (*program, *settings.options)]
    return replace(
        settings,
        command=("python", *arguments, *own),
        inputs=(str(path),),
        images=str(images),
        application=application,
    )


def _script(settings: ProgramSettings, where: str) -> tuple[list[str], str]:
    """The script's path in its application, and the folder of that."""
    if settings.repository:
        return [settings.script], ""
    root = Path(settings.application).expanduser().absolute() if settings.application else None
    path = Path(settings.script).expanduser()
    path = path.absolute() if root is None else root / path
    folder = (root or path.parent).resolve()
    if not path.resolve().is_relative_to(folder):
        raise ConfigError(
            f"{where}: the script {brief(settings.script)} is not in its application",
            "write its path below the folder of the application",
        )
    if not path.is_file():
        raise ConfigError(f"{where}: there is no script {path}", "name a file that is there")
    return [str(path.resolve().relative_to(folder))], str(folder)


def literal(text: str) -> str:
    """An argument as it is: braces in it are no placeholders."""
    return text.replace("{", "{{").replace("}", "}}")
