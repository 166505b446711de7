"""Images in shards: what a Task scores, and the list of it that lies in the Store.

A shard is known by the digest of its list, so images that are added later change the shards that
they are in, and no others.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pyveg.core.layout import PRIVATE, item_folder
from pyveg.core.ports import Store
from pyveg.core.types import Item

By = Literal["count", "folder"]
_LISTS = f"{PRIVATE}/lists"


@dataclass(frozen=True)
class Shard:
    """Some images, one after the other."""

    name: str
    lines: tuple[bytes, ...]
    """One for each image; JSON, with the end of the line."""

    @property
    def digest(self) -> str:
        """Of its list."""
        found = hashlib.sha256()
        for line in self.lines:
            found.update(line)
        return found.hexdigest()

    def item(self, more: Mapping[str, Any]) -> Item:
        """What its Task is told: nothing that changes with images of other shards."""
        details = {"count": len(self.lines), "list": self.digest, **more}
        return Item(self.name, details)


def shards_of(images: Iterable[Item], size: int, by: By) -> Iterator[Shard]:
    """Deal images to shards; only one of these is in memory.

    Parameters
    ----------
    images : iterable of Item
        In order; those of a folder one after the other.
    size : int
        Images of a shard, at most.
    by : {"count", "folder"}
        Whether a shard may hold images of several folders.
    """
    lines: list[bytes] = []
    number = part = 0
    before: str | None = None
    for image in images:
        here = posixpath.dirname(image.name) if by == "folder" else ""
        if lines and (len(lines) == size or here != before):
            yield Shard(_name(by, number, before or "", part), tuple(lines))
            part = part + 1 if here == before else 0
            lines, number = [], number + 1
        before = here
        lines.append(_line(image))
    if lines:
        yield Shard(_name(by, number, before or "", part), tuple(lines))


def _name(by: By, number: int, folder: str, part: int) -> str:
    if by == "count":
        return f"shard_{number:05d}"
    return f"{folder or '.'} {part + 1}"


def _line(image: Item) -> bytes:
    return json.dumps([image.name, dict(image.details)]).encode() + b"\n"


def list_key(item: Item) -> str:
    """Where the list of a shard is."""
    return f"{_LISTS}/{item.details['list']}.jsonl"


def folder(item: Item) -> str:
    """Name of the folder of a shard's results."""
    return item_folder(item.name)


def images_in(store: Store, item: Item) -> Iterator[Item]:
    """The images of a shard, in order."""
    with store.open_read(list_key(item)) as stream:
        for line in stream:
            name, details = json.loads(line)
            yield Item(name, details)


def n_listed(store: Store) -> int:
    """How many images all lists of a run have; 0 before there is one."""
    found = 0
    for key in store.list(f"{_LISTS}/"):
        with store.open_read(key) as stream:
            found += sum(1 for _ in stream)
    return found


def write_lists(shards: Iterable[Shard], store: Store, wanted: Sequence[Item]) -> set[str]:
    """Write the lists of shards that are not there yet.

    Parameters
    ----------
    shards : iterable of Shard
        All of them, as they are now.
    store : Store
    wanted : sequence of Item
        Those whose lists are needed.

    Returns
    -------
    set of str
        Names of wanted shards that are not among these any more.
    """
    missing = {item.details["list"]: item for item in wanted if store.size(list_key(item)) is None}
    if not missing:
        return set()
    for shard in shards:
        item = missing.pop(shard.digest, None)
        if item is not None:
            with store.open_write(list_key(item)) as stream:
                stream.writelines(shard.lines)
        if not missing:
            break
    return {item.name for item in missing.values()}
