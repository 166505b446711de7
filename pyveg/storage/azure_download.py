"""Download of a container: in parallel, checked, and continued where it was broken off.

What has come in part is stored in a folder of its own, by key and version of the blob. A file gets
its name only when its length and MD5 are those that the service states.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from pyveg.core.errors import ConfigError, StoreError
from pyveg.storage.keys import check_key

if TYPE_CHECKING:
    from pyveg.storage.azure_blob import AzureBlobStore, Blob

T = TypeVar("T")

PARTS = ".pyveg-parts"
"""Folder in the target for values that have come in part."""

_THREADS = 32
_FIRST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""
_PACKED = (".json", ".csv", ".txt", ".log", ".py", ".tif")
"""Files that get smaller in a zip; pictures do not."""


class Watcher(Protocol):
    """Learns how far a download is, from one thread at a time."""

    def begin(self, files: int, size: int) -> None:
        """What is to come: files and bytes."""
        ...

    def advance(self, files: int, size: int) -> None:
        """What has come since the last call; less than nothing where a part was thrown away."""
        ...


@dataclass(frozen=True)
class Downloaded:
    """What a download came to."""

    files: int
    size: int
    """Bytes of all of them."""
    present: int
    """Files that were there already."""
    left_out: tuple[str, ...] = ()
    """Keys that were not fetched, since a command started beside such a file would run it."""


_EXECUTED = frozenset({"azure_config.py", "sitecustomize.py", "usercustomize.py"})


def _split_off_code(blobs: Sequence[Blob]) -> tuple[list[Blob], tuple[str, ...]]:
    """Blobs to fetch, and keys of those whose names make a file run by itself.

    No run writes such files. They are known in any folder, as one may work in any, and in any case,
    which some file systems do not tell apart.
    """
    code = [b.key for b in blobs if b.key.rpartition("/")[2].casefold() in _EXECUTED]
    return [blob for blob in blobs if blob.key not in set(code)], tuple(code)


def download_folder(
    store: AzureBlobStore,
    blobs: Sequence[Blob],
    folder: str | Path,
    *,
    force: bool = False,
    watcher: Watcher | None = None,
    n_threads: int = _THREADS,
) -> Downloaded:
    """Put blobs into a folder; files that are there and equal are left as they are.

    Parameters
    ----------
    store : AzureBlobStore
        The container.
    blobs : sequence of Blob
        Which, from its `inventory`.
    folder : str or Path
        Made if it is not there.
    force : bool
        Replace files that differ.
    watcher : Watcher, optional
        For progress.
    n_threads : int
        Blobs that travel at once.

    Raises
    ------
    ConfigError
        If a file is there that differs, before anything is fetched.
    StoreError
        If something could not be fetched or is damaged. The same call goes on from there.
    """
    folder = Path(folder).expanduser().absolute()
    with _sole(folder / PARTS):
        download = _Download(store, folder, watcher, n_threads)
        wanted, code = _split_off_code(blobs)
        return replace(download.run(wanted, force=force), left_out=code)


def download_zip(
    store: AzureBlobStore,
    blobs: Sequence[Blob],
    file: str | Path,
    *,
    force: bool = False,
    watcher: Watcher | None = None,
    n_threads: int = _THREADS,
) -> Downloaded:
    """Put blobs into one zip file, which appears when it is whole.

    Until then they are in the folder ``<file>.parts``. Parameters and errors are those of
    `download_folder`.
    """
    file = Path(file).expanduser().absolute()
    if file.is_dir():
        raise ConfigError(f"{file} is a folder", "name a file")
    if file.exists() and not force:
        raise ConfigError(f"{file} is there already", "replace it with --force")
    folder = file.with_name(f"{file.name}.parts")
    blobs, code = _split_off_code(blobs)
    with _sole(folder / PARTS):
        done = _Download(store, folder, watcher, n_threads).run(blobs, force=True)
        with _written(file):
            whole = file.with_name(f"{file.name}.part")
            _pack(folder, blobs, whole)
            whole.replace(file)
    with _written(folder):
        shutil.rmtree(folder)
    return replace(done, left_out=code)


class _Download:
    """Blobs on their way into a folder."""

    def __init__(
        self, store: AzureBlobStore, folder: Path, watcher: Watcher | None, n_threads: int
    ) -> None:
        self._store = store
        self._folder = folder
        self._watcher = watcher
        self._n_threads = n_threads
        self._telling = threading.Lock()
        self._stop = threading.Event()

    def run(self, blobs: Sequence[Blob], *, force: bool) -> Downloaded:
        """Fetch what is not there yet."""
        size = sum(blob.size for blob in blobs)
        if self._watcher:
            self._watcher.begin(len(blobs), size)
        paths = {blob.key: self._path(blob.key) for blob in blobs}
        self._refuse_clashes(blobs)
        equal = dict(self._each(blobs, lambda blob: (blob.key, _is_whole(paths[blob.key], blob))))
        wanted = [blob for blob in blobs if not equal[blob.key]]
        differing = [blob.key for blob in wanted if paths[blob.key].exists()]
        if differing and not force:
            raise ConfigError(
                f"{_some(differing)} in {self._folder} differ from the container",
                "replace them with --force, or name another folder",
            )
        self._tell(len(blobs) - len(wanted), size - sum(blob.size for blob in wanted))
        faults = [fault for fault in self._each(wanted, self._fetch) if fault]
        with _written(self._folder):
            self._forget_older()
        if faults:
            raise StoreError(
                f"{len(faults)} of {len(blobs)} files are damaged in {self._store.url} and were "
                f"left out: {_some(faults)}",
                "run the modules that made them again (--from_cache)",
            )
        return Downloaded(len(blobs), size, len(blobs) - len(wanted))

    def _each(self, blobs: Sequence[Blob], act: Callable[[Blob], T]) -> Iterator[T]:
        """Do it to many at once; the first error ends it all."""
        with ThreadPoolExecutor(self._n_threads, "pyveg-download") as pool:
            # Not pool.map, which would wait for an early slow one before it shows a later error.
            futures = [pool.submit(act, blob) for blob in blobs]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _path(self, key: str) -> Path:
        """Where a blob goes: always below the folder."""
        path = self._folder.joinpath(*check_key(key).split("/"))
        if not path.resolve().is_relative_to(self._folder.resolve()):
            raise StoreError(f"{key} would lie outside {self._folder}", "remove the link in it")
        return path

    def _refuse_clashes(self, blobs: Sequence[Blob]) -> None:
        """Refuse what cannot be files of one folder: ``a`` beside ``a/b``."""
        keys = {blob.key for blob in blobs}
        for key in keys:
            parent = key.rpartition("/")[0]
            while parent:
                if parent in keys:
                    raise StoreError(
                        f"{parent} cannot be a file and a folder, which has {key}",
                        "rename or remove one of them in the container",
                    )
                parent = parent.rpartition("/")[0]

    def _fetch(self, blob: Blob) -> str:
        """Fetch one; gives its key where the blob is damaged."""
        with _written(self._folder):
            part = self._part(blob)
            begun = part.stat().st_size if part.is_file() else 0
            if begun and self._complete(blob, part, begun):
                return ""
            if begun:  # what had come of it is bad, and not the blob
                self._drop(part)
            if self._complete(blob, part, 0):
                return ""
            self._drop(part)
            return blob.key

    def _complete(self, blob: Blob, part: Path, begun: int) -> bool:
        """Fetch the rest and give the file its name, if it is what it should be."""
        self._tell(0, begun)
        came = begun
        # Appended to what an earlier try has fetched; all of it is checked at the end.
        with part.open("ab") as file:
            for data in self._store.chunks(blob, begun):
                file.write(data)
                came += len(data)
                self._tell(0, len(data))
                if self._stop.is_set():
                    raise StoreError(
                        f"{self._store.url}/{blob.key}: broken off", "run it again, and it goes on"
                    )
        if not _is_whole(part, blob):
            self._tell(0, -came)
            return False
        target = self._path(blob.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
        self._tell(1, 0)
        return True

    def _forget_older(self) -> None:
        """Remove parts of blobs that have been replaced since."""
        for path in (self._folder / PARTS).iterdir():
            if path.name != ".lock":
                path.unlink()

    def _part(self, blob: Blob) -> Path:
        version = hashlib.sha256(f"{blob.key}\0{blob.etag}".encode()).hexdigest()[:32]
        return self._folder / PARTS / version

    @staticmethod
    def _drop(part: Path) -> None:
        part.unlink(missing_ok=True)

    def _tell(self, files: int, size: int) -> None:
        if self._watcher and (files or size):
            with self._telling:
                self._watcher.advance(files, size)


def _is_whole(path: Path, blob: Blob) -> bool:
    """Whether a file is what the service tells of a blob; by length alone where it has no MD5."""
    with _written(path):
        if not path.is_file() or path.stat().st_size != blob.size:
            return False
        if blob.md5 is None:
            return True
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        return digest.digest() == blob.md5


def _pack(folder: Path, blobs: Sequence[Blob], file: Path) -> None:
    """Write a zip; the same blobs give the same bytes."""
    with zipfile.ZipFile(file, "w") as target:
        for blob in blobs:
            info = zipfile.ZipInfo(blob.key, max(blob.modified.timetuple()[:6], _FIRST))
            packed = blob.key.endswith(_PACKED)
            info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            info.external_attr = 0o644 << 16
            info.file_size = blob.size  # so that it knows whether it needs ZIP64
            source = folder.joinpath(*blob.key.split("/"))
            with source.open("rb") as data, target.open(info, "w") as member:
                shutil.copyfileobj(data, member, 2**20)


@contextmanager
def _sole(parts: Path) -> Iterator[None]:
    """Be the only download into a folder; what came in part stays after an error."""
    from filelock import FileLock, Timeout

    with _written(parts):
        parts.mkdir(parents=True, exist_ok=True)
        lock = FileLock(parts / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StoreError(
                f"another download is writing to {parts.parent}", "wait for it or stop it"
            ) from None
    try:
        yield
    finally:
        lock.release()
        # Parts of what has failed stay for the next try.
        if all(path.name == ".lock" for path in parts.iterdir()):
            with suppress(OSError):
                shutil.rmtree(parts)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Say plainly why files cannot be written."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise StoreError(
            f"{where} cannot be written: {error.strerror or error}",
            "free some space, change its permissions or name another folder",
        ) from error


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
