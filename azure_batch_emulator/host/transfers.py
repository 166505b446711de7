"""Files of a task that come from and go to blob storage, over plain HTTP."""

from __future__ import annotations

import mimetypes
import os
import re
import shutil
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from azure_batch_emulator.host.outcomes import Failure, Phase

Document = dict[str, Any]
STORAGE_VERSION = "2021-08-06"
"""Version of the blob interface that is asked for."""

TIMEOUT = 60.0
"""Seconds without an answer."""

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks without a proxy."""
TRIES = 3
_WILD = re.compile(r"[*?\[]")
_AGAIN = {408, 429, 500, 502, 503, 504}


class TransferError(Exception):
    """A file that could not be brought or taken away; it carries the service's `Failure`."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


def download(resource: Document, folder: Path) -> None:
    """Bring a resource file, or those of a container, into a folder.

    Raises
    ------
    TransferError
        With the code of the service: ``BlobNotFound``, ``BlobAccessDenied`` ...
    """
    mode = int(resource.get("fileMode") or "0770", 8)
    if url := resource.get("httpUrl"):
        _fetch(url, _inside(folder, resource["filePath"]), mode)
        return
    container = resource["storageContainerUrl"]
    base = _inside(folder, resource.get("filePath") or ".")
    for name in _blob_names(container, resource.get("blobPrefix") or ""):
        _fetch(blob_url(container, name), _inside(base, name), mode)


def blob_url(container: str, name: str) -> str:
    """The address of a blob in a container, with the container's SAS."""
    parts = urlsplit(container)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(name)}"))


def _inside(folder: Path, name: str) -> Path:
    path = Path(os.path.normpath(folder / name))
    if not path.is_relative_to(folder):
        message = f"The path {name!r} leads out of the working directory"
        raise TransferError(Failure("ResourceFileCreateFailed", message, phase="before"))
    return path


def _fetch(url: str, path: Path, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _open(urllib.request.Request(url)) as reply, path.open("wb") as file:
            shutil.copyfileobj(reply, file)
        path.chmod(mode)
    except (urllib.error.URLError, TimeoutError, ValueError) as error:
        raise _failed(error, url, "before") from error
    except OSError as error:
        failure = Failure("ResourceFileWriteFailed", f"{path.name}: {error}", phase="before")
        raise TransferError(failure) from error


def _blob_names(container: str, prefix: str) -> Iterator[str]:
    parts, marker = urlsplit(container), ""
    while True:
        query = f"restype=container&comp=list&prefix={quote(prefix)}&marker={quote(marker)}"
        url = urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, query]))))
        try:
            with _open(urllib.request.Request(url)) as reply:
                tree = ET.fromstring(reply.read())
        except (urllib.error.URLError, TimeoutError, ValueError, ET.ParseError) as error:
            raise _failed(error, container, "before") from error
        yield from (name.text or "" for name in tree.iterfind("Blobs/Blob/Name"))
        marker = tree.findtext("NextMarker") or ""
        if not marker:
            return


def upload(output: Document, folder: Path, succeeded: bool) -> None:
    """Take the files of a pattern to their container, if the condition says so.

    Parameters
    ----------
    output : dict
        An output file specification.
    folder : Path
        The working directory of the task.
    succeeded : bool
        Whether its command did.

    Raises
    ------
    TransferError
        With ``FileUploadAccessDenied`` or ``FileUploadMiscError``.
    """
    condition = output["uploadOptions"]["uploadCondition"].lower()
    if condition == ("taskfailure" if succeeded else "tasksuccess"):
        return
    destination = output["destination"]["container"]
    for path, name in matches(output["filePattern"], folder):
        blob = destination.get("path") or ""
        if _WILD.search(output["filePattern"]):
            blob = f"{blob.rstrip('/')}/{name}" if blob else name
        _send(path, blob_url(destination["containerUrl"], blob or name), destination)


def _send(path: Path, url: str, destination: Document) -> None:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {
        "x-ms-blob-type": "BlockBlob",
        "x-ms-version": STORAGE_VERSION,
        "Content-Type": kind,
        "Content-Length": str(path.stat().st_size),
    }
    for extra in destination.get("uploadHeaders") or ():
        headers[extra["name"]] = extra.get("value") or ""
    try:
        data = path.read_bytes()
        _open(urllib.request.Request(url, data, headers, method="PUT")).close()
    except (OSError, ValueError) as error:  # URLError and TimeoutError are OSErrors
        raise _failed(error, url, "upload") from error


def _open(request: urllib.request.Request) -> Any:
    """The answer; a server that is busy is asked again."""
    ask = _DIRECT.open if _is_here(request.host) else urllib.request.urlopen
    for wait in (0.2 * 2**number for number in range(TRIES - 1)):
        try:
            return ask(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code not in _AGAIN:
                raise
            error.close()
            time.sleep(wait)
    return ask(request, timeout=TIMEOUT)


def _is_here(host: str) -> bool:
    """Whether a host is this machine, which no proxy leads to."""
    name = urlsplit(f"//{host}").hostname or ""
    return name in {"localhost", "::1"} or name.startswith("127.")


def _failed(error: Exception, url: str, phase: Phase) -> TransferError:
    status = error.code if isinstance(error, urllib.error.HTTPError) else 0
    late = isinstance(error, TimeoutError) or isinstance(
        getattr(error, "reason", None), TimeoutError
    )
    if isinstance(error, urllib.error.HTTPError):
        error.close()
    if phase == "upload":
        code = "FileUploadAccessDenied" if status in {401, 403} else "FileUploadMiscError"
        text = "An error occurred while uploading one of the output files of the task"
    else:
        denied = "BlobAccessDenied" if status in {401, 403, 409} else "BlobDownloadMiscError"
        code = "BlobNotFound" if status == 404 else "BlobDownloadTimedOut" if late else denied
        text = "An error occurred while downloading one of the resource files of the task"
    shown = urlunsplit(urlsplit(url)._replace(query=""))  # a SAS is a secret
    details = (("FilePath", unquote(shown)), ("Message", f"{type(error).__name__} {status or ''}"))
    return TransferError(Failure(code, text, phase=phase, details=details))


def matches(pattern: str, folder: Path) -> list[tuple[Path, str]]:
    """Files that a pattern of an output file names.

    ``*``, ``?`` and ``[..]`` stay in one folder, ``**`` goes through folders; files that begin with
    a dot must be named. Names are relative to the part of the pattern that has no wildcard.

    Parameters
    ----------
    pattern : str
        Relative to the working directory; ``../`` leads to the folder of the task.
    folder : Path
        The working directory.

    Returns
    -------
    list of (Path, str)
        Each file and its name below the pattern's fixed part, sorted.
    """
    root = folder.parent
    parts = PurePosixPath(os.path.normpath(folder.name + "/" + pattern)).parts
    fixed = next((i for i, part in enumerate(parts) if _WILD.search(part)), len(parts) - 1)
    base = root.joinpath(*parts[:fixed])
    if ".." in parts or not base.is_dir():
        return []
    compiled = re.compile(_regex(parts[fixed:]))
    names = ((path, path.relative_to(base).as_posix()) for path in base.rglob("*"))
    return sorted((p, n) for p, n in names if compiled.fullmatch(n) and p.is_file())


def _regex(parts: tuple[str, ...]) -> str:
    """One regular expression for some segments of a pattern."""
    found = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            found += r"(?:(?!\.)[^/]+/)*" + (r"(?!\.)[^/]+" if last else "")
        else:
            found += _segment(part) + ("" if last else "/")
    return found


def _segment(part: str) -> str:
    found = r"(?!\.)" if part[0] in "*?[" else ""
    for piece in re.findall(r"\[[^\]]+\]|.", part):
        if piece in {"*", "?"}:
            found += "[^/]*" if piece == "*" else "[^/]"
        elif piece[0] == "[" and len(piece) > 1:
            found += "[" + re.sub(r"^!", "^", piece[1:-1]).replace("\\", r"\\") + "]"
        else:
            found += re.escape(piece)
    return found
