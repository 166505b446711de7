"""Inputs on their way: to the Store where nodes can get them, and to where a command runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote

from pyveg.core import bulk
from pyveg.core.errors import DataError, KeyMissingError, ServiceError
from pyveg.core.layout import PRIVATE, item_folder
from pyveg.core.ports import Inputs, Store
from pyveg.core.tasks import digest
from pyveg.core.types import Item, Scope

_PIECE = 2**20
"""Bytes."""
_PORTION = 64
_TELL_EVERY = 5.0
"""Seconds."""


def folder_of(scope: Scope) -> str:
    """Where the inputs of a Sequence are in the Store of the run, if they were sent there."""
    return f"{PRIVATE}/inputs/{item_folder(scope.sequence)}"


def key_of(folder: str, item: Item) -> str:
    """Where one of them is; another version of the same file is elsewhere."""
    details = item.details
    version = digest([details["input"], details["size"], details["version"]])
    return f"{folder}/{version[:2]}/{version}"


def send(
    inputs: Inputs,
    items: Sequence[Item],
    store: Store,
    folder: str,
    tell: Callable[[str], None],
) -> dict[str, str]:
    """Copy inputs to the Store, where they are not yet.

    Parameters
    ----------
    inputs : Inputs
    items : sequence of Item
    store : Store
    folder : str
        As `folder_of` says.
    tell : callable
        Takes a line now and then.

    Returns
    -------
    dict of str to str
        Name of an Item whose input cannot be had -> why.
    """
    there = set(store.list(f"{folder}/"))
    missing = [item for item in items if key_of(folder, item) not in there]
    failed: dict[str, str] = {}
    reported = time.monotonic()
    for begin in range(0, len(missing), _PORTION):
        portion = missing[begin : begin + _PORTION]
        reasons = bulk.each(store, lambda item: _send(inputs, item, store, folder), portion)
        failed |= {i.name: why for i, why in zip(portion, reasons, strict=True) if why}
        if time.monotonic() - reported > _TELL_EVERY:
            reported = time.monotonic()
            tell(f"inputs: {begin + len(portion)} of {len(missing)} sent")
    return failed


def _send(inputs: Inputs, item: Item, store: Store, folder: str) -> str:
    try:
        with inputs.open(item) as source, store.open_write(key_of(folder, item)) as target:
            _check_length(item, _copy(source, target))
    except (DataError, ServiceError) as error:
        return str(error)
    return ""


def keep_only(items: Sequence[Item], store: Store, folder: str) -> None:
    """Remove copies of inputs from the Store, but for those of some Items."""
    needed = {key_of(folder, item) for item in items}
    bulk.each(store, store.delete, [key for key in store.list(f"{folder}/") if key not in needed])


def fetch(
    inputs: Inputs, item: Item, store: Store, sent: str, folder: Path, *, link: bool = False
) -> Path:
    """An input under its own name in a folder: a copy, which the program may write to.

    Parameters
    ----------
    inputs : Inputs
    item : Item
    store : Store
    sent : str
        Its key, if it was sent.
    folder : Path
    link : bool
        Whether a link will do where the input is on this machine.

    Raises
    ------
    DataError
        If it is not there, or changes while it is read.
    """
    target = folder / name_of(item)
    try:
        # First the copy: where commands run on other machines there is nothing else.
        with store.open_read(sent) as source, target.open("wb") as copy:
            _copy(source, copy)
    except KeyMissingError:
        path = inputs.path(item)
        # A link needs no second place on the disk, but what is written to it is written to the
        # file of the user.
        if link and path is not None and _linked(target, path):
            return target
        with inputs.open(item) as source, target.open("wb") as copy:
            _check_length(item, _copy(source, copy))
    return target


def _check_length(item: Item, now: int) -> None:
    """Where a file is elsewhere its length tells that it is another one than was planned."""
    planned = item.details["size"]
    if planned is not None and planned != now:
        raise DataError(
            f"the input {item.details['input']} has changed since the run was planned: it had "
            f"{planned} bytes, and now {now}",
            "finish the run with --from_cache, which looks again",
        )


def _linked(target: Path, path: Path) -> bool:
    """Whether there is a link now; some file systems have none."""
    try:
        target.symlink_to(path)
    except OSError:
        return False
    return True


def _copy(source: IO[bytes], target: IO[bytes]) -> int:
    """Copy a stream; gives its length."""
    length = 0
    while data := _next(source):
        target.write(data)
        length += len(data)
    return length


def _next(source: IO[bytes]) -> bytes:
    """A piece of a stream; what its service raises, which may be any class, as one of ours."""
    try:
        return source.read(_PIECE)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ServiceError(
            f"the input cannot be read to its end ({why})",
            "check the connection, and finish the run with --from_cache",
        ) from error


def name_of(item: Item) -> str:
    """The name of an input's file."""
    where: str = item.details["input"]
    name = PurePosixPath(where.rstrip("/")).name
    return unquote(name) if where.startswith(("http://", "https://")) else name
