"""The images of a catalogue or manifest on their way to where a program runs.

They are packed like an application, under the digest of their contents: nodes unpack them once, and
a task whose images have changed is done again.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from pyveg.core.errors import ConfigError, RunError
from pyveg.core.ports import Store
from pyveg.core.texts import brief
from pyveg.modules.command import application as app
from pyveg.modules.command.application import Member


def members(folder: Path, files: Iterable[str], where: str) -> list[Member]:
    """The images that are there, by name; programs tell of the others.

    Parameters
    ----------
    folder : Path
    files : iterable of str
        Paths below it.
    where : str
        Begins the messages of errors.

    Raises
    ------
    ConfigError
        If none is there, or one leaves the folder by a link.
    """
    root = folder.resolve()
    found = []
    for name in sorted(set(files)):
        path = folder / name
        if not path.is_file():
            continue
        if not path.resolve().is_relative_to(root):
            raise ConfigError(
                f"{where}: {brief(name)} leads out of {folder}", "put a copy of that image there"
            )
        found.append(Member(name, False, partial(Path.read_bytes, path)))
    if not found:
        raise ConfigError(
            f"{where}: no image of it is in {folder}", 'name the folder of the images as "images"'
        )
    return found


def send(store: Store, packed: list[Member], digest: str) -> None:
    """Put images into the Store, where they are not yet.

    Raises
    ------
    RunError
        If they have changed since the run was planned.
    """
    if store.size(app.key_of(digest)) is not None:
        return
    if app.digest_of(packed) != digest:
        raise RunError("the images have changed since the run was planned", "start it again")
    with store.open_write(app.key_of(digest)) as stream:
        app.pack(packed, stream)


def folder_of(store: Store, digest: str, here: str) -> Path:
    """Where the images are on this machine: as they were sent, or in their own folder."""
    if digest and store.size(app.key_of(digest)) is not None:
        return app.unpacked(store, digest)
    return Path(here)
