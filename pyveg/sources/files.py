"""Any files as inputs: on this machine, in a container, or at any URL that fsspec knows.

An input is written as one of::

    data/*.csv  data/**/*.csv        a pattern
    data                             a folder: all files below it, but for hidden ones
    data/a.csv                       a file
    @list.txt                        a file that names one input per line
    @list.jsonl                      the same with names and metadata, `pyveg.sources.json_lists`
    azure://container/2024           what is below a prefix, or matches a pattern
    s3://bucket/data/*.csv           the same at any URL

The first look tells the size and the version of each file; nothing is read.
"""

from __future__ import annotations

import os
import posixpath
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from glob import has_magic, iglob
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISREG, S_ISSOCK
from typing import IO, Any
from urllib.parse import quote_from_bytes

from pyveg.core.errors import ConfigError, DataError
from pyveg.core.layout import RUN_FILE
from pyveg.core.ports import Store
from pyveg.core.reading import read_whole
from pyveg.core.types import Item
from pyveg.sources import json_lists, remote_files, web

LIST = "@"
"""Begins the name of a file that lists inputs."""
_NO_FILES = (
    (S_ISDIR, "a folder"),
    (S_ISFIFO, "a pipe"),
    (S_ISSOCK, "a socket"),
    (S_ISCHR, "a device"),
    (S_ISBLK, "a device"),
)
_MARKS = (
    (BOM_UTF32_LE, "utf-32"),
    (BOM_UTF32_BE, "utf-32"),
    (BOM_UTF16_LE, "utf-16"),
    (BOM_UTF16_BE, "utf-16"),
)
"""What a text begins with that is no UTF-8; the longer ones first."""
_LOOKS = 32
"""Files of a list that are looked for at the same time."""
_PORTION = 4096


@dataclass(frozen=True)
class InputFile:
    """A file, or the name of one that is not there."""

    path: str
    """Path on this machine, or URL."""
    size: int | None
    version: str
    """Changes when the file does; empty where there is no file."""
    name: str = ""
    """What a list calls it; made of its path where empty."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What a list says of it besides."""


@dataclass(frozen=True)
class _Pattern:
    """One of the inputs as the user wrote it, in full."""

    text: str
    root: str
    """The part of it that does not vary: a folder or URL."""


class FileInputs:
    """The files that some patterns stand for; one `pyveg.core.ports.Inputs`.

    Items are named after the path of their file below the folder that all patterns share, so
    names do not depend on which files are there today.

    Parameters
    ----------
    patterns : sequence of str
    private_hosts : sequence of str, optional
        Where it is given, addresses of http and https are others' text: they are asked for one by
        one and when they are opened (`pyveg.sources.web`), and no private network is.
    """

    def __init__(self, patterns: Sequence[str], private_hosts: Sequence[str] | None = None) -> None:
        self._patterns = [_pattern(text) for text in patterns]
        self._stores: dict[str, Store] = {}
        self._private_hosts = None if private_hosts is None else tuple(private_hosts)

    def settled(self) -> tuple[str, ...]:
        """The patterns with absolute paths."""
        return tuple(pattern.text for pattern in self._patterns)

    def items(self) -> Sequence[Item]:
        """One for each file, in the order of the patterns and of names within each.

        Raises
        ------
        ConfigError
            If nothing is there at all, or a list or service cannot be read.
        """
        return list(self.each())

    def each(self) -> Iterator[Item]:
        """The same one by one, for more files than one wants to hold.

        Raises
        ------
        ConfigError
            At the end, if nothing was there at all; at once if a list or service cannot be read.
        """
        base = _shared([pattern.root for pattern in self._patterns])
        seen, there = _Seen(self._patterns), False
        for pattern in self._patterns:
            for file in _find(pattern, guarded=self._private_hosts is not None):
                if seen.is_new(file.path):
                    there = there or bool(file.version)
                    yield _item(file, base)
        if not there:
            asked = ", ".join(pattern.text for pattern in self._patterns[:3])
            raise ConfigError(f"no input is there: {asked}", "give files, a folder or a pattern")

    def path(self, item: Item) -> Path | None:
        """Where a file is on this machine; None where it is elsewhere.

        Raises
        ------
        DataError
            If it is not there, or has changed since it was listed.
        """
        where = item.details["input"]
        if not item.details["version"]:
            raise _missing(where)
        if not _is_local(where):
            return None
        now = _look(where)
        if not now.version:
            raise _missing(where)
        if now.version != item.details["version"]:
            raise DataError(
                f"the input {where} has changed since the run was planned",
                "finish the run with --from_cache, which looks again",
            )
        return Path(where)

    @contextmanager
    def open(self, item: Item) -> Iterator[IO[bytes]]:
        """Read a file as a stream."""
        if "refused" in item.details:
            raise DataError(item.details["refused"], "leave it out")
        path, where = self.path(item), item.details["input"]
        with ExitStack() as stack:
            try:
                stream = stack.enter_context(self._opened(where, path))
            except FileNotFoundError:
                raise _missing(where) from None
            except OSError as error:
                why = error.strerror or error
                raise DataError(
                    f"the input {where} cannot be read: {why}",
                    "give yourself permission to read it, and finish the run with --from_cache",
                ) from error
            yield stream
            if path is not None:
                self.path(item)  # once more: it may have changed while it was read

    def _opened(self, where: str, path: Path | None) -> AbstractContextManager[IO[bytes]]:
        if path is not None:
            return path.open("rb")
        if self._private_hosts is not None and web.is_web(where):
            return web.opened(where, self._private_hosts)
        return remote_files.opened(where, self._stores)


class _Seen:
    """Which files there have been; remembered only where one may come twice."""

    def __init__(self, patterns: Sequence[_Pattern]) -> None:
        self._needed = len(patterns) > 1 or any(one.text.startswith(LIST) for one in patterns)
        self._digests: set[bytes] = set()

    def is_new(self, path: str) -> bool:
        if not self._needed:
            return True
        # Digests, as millions of paths would not fit.
        found = blake2b(os.fsencode(path), digest_size=16).digest()
        if found in self._digests:
            return False
        self._digests.add(found)
        return True


def _missing(where: str) -> DataError:
    what = _what_it_is(where) if _is_local(where) else ""
    return DataError(
        f"the input {where} {what or 'is not there'}",
        f"put {'a file' if what else 'it'} there and finish the run with --from_cache, or leave it "
        "out",
    )


def _what_it_is(path: str) -> str:
    """Why what is at a path is no file; empty where nothing is."""
    try:
        if not Path(path).exists():
            return "is a link to nothing" if Path(path).is_symlink() else ""
        mode = Path(path).stat().st_mode
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    return next((f"is no file: it is {what}" for is_one, what in _NO_FILES if is_one(mode)), "")


def _is_local(where: str) -> bool:
    return "://" not in where


def _pattern(text: str) -> _Pattern:
    """What the user wrote, made absolute and split."""
    if not text or "\0" in text:
        raise ConfigError(f"inputs: {text!r} can be no input", "give a file, a folder or a pattern")
    if text.startswith(LIST):
        path = _absolute(text[1:])
        return _Pattern(LIST + path, posixpath.dirname(path))
    text = text.removeprefix("file://")
    if not _is_local(text):
        remote_files.refuse_secret(text)
        return _Pattern(text, _root(text))
    path = _absolute(text)
    if Path(path).is_dir():
        return _Pattern(path, path)
    return _Pattern(path, posixpath.dirname(path) if Path(path).is_file() else _root(path))


def _absolute(text: str, folder: str = "") -> str:
    """A path in full; a name may begin with "~" without meaning a home."""
    home = text == "~" or text.startswith("~/")
    path = Path(text).expanduser() if home else Path(folder, text)
    return os.path.normpath(path.absolute())


def _root(path: str) -> str:
    """The folders before the first part that stands for many; a file's folder where none does."""
    parts = path.split("/")
    fixed = next((i for i, part in enumerate(parts) if has_magic(part)), None)
    if fixed is None:
        return path.rstrip("/") if not _is_local(path) else posixpath.dirname(path)
    return "/".join(parts[:fixed]) or "/"


def _shared(roots: Sequence[str]) -> str:
    """The folder that holds all of them; empty where there is none."""
    shared: list[str] = []
    for parts in zip(*(root.split("/") for root in roots), strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return "/".join(shared)


def _item(file: InputFile, base: str) -> Item:
    name = file.path
    details = {"input": name, "size": file.size, "version": file.version, **file.more}
    if file.name:
        return Item(_printable(file.name), details)
    if base and name.startswith(f"{base.rstrip('/')}/"):
        name = name[len(base.rstrip("/")) + 1 :]
    elif name == base:  # one file by its URL
        name = posixpath.basename(name)
    return Item(_printable(name.partition("://")[2] or name).lstrip("/"), details)


def _printable(name: str) -> str:
    """A name as text; one that is no UTF-8 has its bytes percent-encoded."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return quote_from_bytes(os.fsencode(name), safe="/ ")
    return name


def _find(pattern: _Pattern, *, guarded: bool) -> Iterator[InputFile]:
    if pattern.text.startswith(LIST):
        yield from _listed(pattern.text[1:], guarded=guarded)
    elif guarded and web.is_web(pattern.text):
        yield _unseen(pattern.text)
    elif not _is_local(pattern.text):
        for path, size, version in remote_files.find(pattern.text):
            yield InputFile(path, size, version)
    elif Path(pattern.text).is_dir():
        yield from map(_look, _without_runs(_below(pattern.text), pattern.root))
    # A file whose name has a star or a bracket in it is itself, and no pattern.
    elif Path(pattern.text).exists() or not has_magic(pattern.text):
        yield _look(pattern.text)
    else:
        paths = sorted(iglob(pattern.text, recursive=True))  # noqa: PTH207 - Path has no absolute ones
        files = map(_look, _without_runs(paths, pattern.root))
        yield from (file for file in files if file.version)


def _below(folder: str) -> Iterator[str]:
    """All files, those of a folder one after the other; in the same order each time."""
    for root, folders, files in os.walk(folder):
        # In place: os.walk goes into what is left in its own list, in that order.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (f"{root}/{name}" for name in sorted(files) if not name.startswith("."))


def _without_runs(paths: Iterable[str], root: str) -> Iterator[str]:
    """Leave out runs of pyveg below a folder: what a run has made is no input of the next one."""
    known: dict[str, bool] = {root: False}
    for path in paths:
        if not _in_run(posixpath.dirname(path), known):
            yield path


def _in_run(folder: str, known: dict[str, bool]) -> bool:
    if folder not in known:
        # Remembered for each folder, which may hold thousands of the files.
        is_run = Path(folder, RUN_FILE).is_file()
        above = posixpath.dirname(folder)
        known[folder] = is_run or (above != folder and _in_run(above, known))
    return known[folder]


def _look(path: str) -> InputFile:
    """A file of this machine as it is now."""
    try:
        status = Path(path).stat()
    except OSError:
        return InputFile(path, None, "")
    if not S_ISREG(status.st_mode):
        return InputFile(path, None, "")
    return InputFile(path, status.st_size, f"{status.st_size}-{status.st_mtime_ns}")


def _unseen(url: str) -> InputFile:
    """An address that is asked for when it is opened, and not before."""
    return InputFile(url, None, "not looked at")


def _listed(path: str, *, guarded: bool) -> Iterator[InputFile]:
    """What a list names. Paths in it are relative to its own folder."""
    if path.endswith(json_lists.ENDING):
        yield from _of_json(path, guarded=guarded)
        return
    if path.endswith(".json"):
        raise ConfigError(
            f"inputs: the list {path} is a document of JSON, and no list of lines",
            f'write {{"input": ADDRESS}} on each line of a file that ends with {json_lists.ENDING}',
        )
    try:
        text = _decoded(read_whole(path))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"inputs: the list {path} cannot be read: {getattr(error, 'strerror', '') or error}",
            f"give {LIST} and the path of a text file with one input per line",
        ) from error
    folder = posixpath.dirname(path)
    wanted = (line for line in _lines(text) if line.strip() and not line.startswith("#"))
    # A list may name thousands of URLs, and a look at each is a request.
    with ThreadPoolExecutor(_LOOKS, thread_name_prefix="inputs") as pool:
        # In portions, as each that is asked for takes memory.
        while names := list(islice(wanted, _PORTION)):
            if guarded and all(map(web.is_web, names)):  # nobody is asked: a thread costs more
                yield from (_entry(name, folder, guarded) for name in names)
            else:
                yield from pool.map(lambda name: _entry(name, folder, guarded), names)


def _lines(text: str) -> Iterator[str]:
    """Lines one by one, as a list may have millions."""
    begin = 0
    # Not splitlines, which takes characters for ends of lines that names may have.
    while (end := text.find("\n", begin)) >= 0:
        yield text[begin:end].removesuffix("\r")
        begin = end + 1
    yield text[begin:].removesuffix("\r")


def _of_json(path: str, *, guarded: bool) -> Iterator[InputFile]:
    folder = posixpath.dirname(path)
    for entry in json_lists.entries(path):
        more: dict[str, Any] = {key: entry[key] for key in ("meta", "refused") if key in entry}
        if "refused" in more:
            found = _unseen(entry["input"])
        else:
            found = _entry(entry["input"], folder, guarded)
        yield replace(found, name=entry.get("file", ""), more=more)


def _decoded(data: bytes) -> str:
    """A list as text, in the encoding that its first bytes say.

    Raises
    ------
    ValueError
        If it is no text of lines.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is not None:
        return data.decode(encoding)
    if b"\0" in data:
        raise ValueError("it has NULs in it, so it is no text, or one in UTF-16 without its mark")
    # Names need not be UTF-8, and editors of Windows put a mark before the first.
    return data.decode("utf-8-sig", "surrogateescape")


def _entry(name: str, folder: str, guarded: bool) -> InputFile:
    if _is_local(name):
        return _look(_absolute(name, folder))
    remote_files.refuse_secret(name)
    if guarded and web.is_web(name):
        return _unseen(name)
    return InputFile(name, *remote_files.look(name))
