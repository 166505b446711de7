"""Files on nodes, as the service lists and serves them."""

from __future__ import annotations

import mimetypes
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote

from azure_batch_emulator import times
from azure_batch_emulator.errors import BatchError

Document = dict[str, Any]


@dataclass(frozen=True)
class Slice:
    """Bytes of a file.

    Parameters
    ----------
    path : Path
        Which file.
    start, length : int
        Which bytes.
    """

    path: Path
    start: int
    length: int


def documents(root: Path, url: str, recursive: bool) -> Iterator[Document]:
    """What a folder holds, ordered by name, which is relative to it."""
    for name, path in sorted((p.relative_to(root).as_posix(), p) for p in _below(root, recursive)):
        try:
            yield _document(path, name, url)
        except FileNotFoundError:  # it went meanwhile
            continue


def _below(root: Path, recursive: bool) -> Iterator[Path]:
    """What a folder holds; what goes meanwhile is no error."""
    for folder, folders, names in os.walk(root):
        yield from (Path(folder, name) for name in (*folders, *names))
        if not recursive:
            return


def _document(path: Path, name: str, url: str) -> Document:
    document: Document = {"name": name, "url": f"{url}/{quote(name, safe='')}"}
    document["isDirectory"] = path.is_dir()
    if not path.is_dir():
        stat = path.stat()
        document["properties"] = {
            "creationTime": _moment(stat.st_ctime),
            "lastModified": _moment(stat.st_mtime),
            "contentLength": str(stat.st_size),
            "contentType": content_type(path),
            "fileMode": f"0o{stat.st_mode:o}",
        }
    return document


def _moment(seconds: float) -> str:
    return times.text_of(datetime.fromtimestamp(seconds, UTC))


def content_type(path: Path) -> str:
    """The kind of a file, by the ending of its name."""
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def find(root: Path, name: str) -> Path:
    """A file or folder below a root; ``FileNotFound`` where there is none."""
    path = root / name
    if ".." in Path(name).parts or not path.exists():
        raise BatchError("FileNotFound", FilePath=name)
    if not path.resolve().is_relative_to(root.resolve()):
        raise BatchError("FileNotFound", FilePath=name, Reason="It leads out of the folder.")
    return path


def headers(path: Path, url: str) -> dict[str, str]:
    """What the service says of a file."""
    stat = path.stat()
    return {
        "Content-Type": content_type(path),
        "Last-Modified": formatdate(stat.st_mtime, usegmt=True),
        "ocp-creation-time": formatdate(stat.st_ctime, usegmt=True),
        "ocp-batch-file-isdirectory": str(path.is_dir()),
        "ocp-batch-file-url": quote(url, safe=""),
        "ocp-batch-file-mode": f"0o{stat.st_mode:o}",
    }


def part(path: Path, range_: str | None) -> Slice:
    """The bytes that ``ocp-range: bytes=0-9`` asks for; all of them without a range."""
    size = path.stat().st_size
    if range_ is None:
        return Slice(path, 0, size)
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", range_)
    if match is None or int(match[1]) >= size or (match[2] and int(match[2]) < int(match[1])):
        raise BatchError("InvalidRange", Range=range_, ContentLength=size)
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    return Slice(path, int(match[1]), last - int(match[1]) + 1)


def delete(path: Path, recursive: bool) -> None:
    """Remove a file, or a folder with all that it holds if that is allowed."""
    if not path.is_dir():
        path.unlink()
    elif recursive or not any(path.iterdir()):
        shutil.rmtree(path)
    else:
        raise BatchError("InvalidQueryParameterValue", Reason="The folder is not empty.")
