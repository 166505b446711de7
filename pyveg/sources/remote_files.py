"""Files that are elsewhere: listed, looked at and opened by their URL.

A protocol that is the name of a Store, such as ``azure``, belongs to that Store; others are
fsspec's. Credentials are those of the environment; a URL holds none.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from glob import has_magic
from typing import IO, Any
from urllib.parse import urlsplit

from pyveg.core import answers, registry
from pyveg.core.errors import (
    ConfigError,
    KeyMissingError,
    MissingPackageError,
    PyvegError,
    ServiceAwayError,
    ServiceError,
    StoreError,
    UnknownNameError,
)
from pyveg.core.ports import Store
from pyveg.core.secrets import has_secret, redacted

_VERSIONS = (
    "ETag",
    "etag",
    "content_md5",
    "md5Hash",
    "checksum",
    "version_id",
    "LastModified",
    "last_modified",
    "mtime",
    "modified",
    "created",
)
"""Where file systems keep what changes with a file, the surest first."""


def refuse_secret(url: str) -> None:
    """Raise `ConfigError` for an address with a password or token, without showing it."""
    if has_secret(url):
        raise ConfigError(
            f"inputs: {redacted(url)} was given with a password or token, and addresses are kept "
            "with the run",
            "leave the password out of the address, and give it by the environment of fsspec",
        )


def find(url: str) -> Iterator[tuple[str, int | None, str]]:
    """Files that a URL stands for: URL, bytes and version of each, sorted.

    Parameters
    ----------
    url : str
        Of a file, or of a folder or prefix, or a pattern.

    Raises
    ------
    ConfigError
        If the protocol is not known, needs a package, or the service gives no list.
    """
    try:
        files = _in_store(url) if _store_protocol(url) else _in_file_system(url)
        yield from sorted(files, key=lambda file: file[0])
    except FileNotFoundError:
        # Listed as missing: its item fails alone, and the others are worth running.
        yield url, None, ""
    except (StoreError, ServiceError) as error:
        raise ConfigError(f"inputs: {error.wrong}", error.cure) from error


def look(url: str) -> tuple[int | None, str]:
    """Bytes and version of one file; the version is empty where it is not there."""
    if _store_protocol(url):
        top, key = _split(url)
        try:
            size = registry.store_at(top).size(key)
        except StoreError as error:
            raise ConfigError(f"inputs: {error.wrong}", error.cure) from error
        return size, "" if size is None else str(size)
    fs, path = _file_system(url)
    with _explained(url):
        try:
            info = fs.info(path)
        except FileNotFoundError:
            return None, ""
    return info.get("size"), _version(info)


@contextmanager
def opened(url: str, stores: dict[str, Store]) -> Iterator[IO[bytes]]:
    """Read a file as a stream; `FileNotFoundError` where it is not there.

    Parameters
    ----------
    url : str
    stores : dict
        Stores that were opened before, and are used again.
    """
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(_opened(url, stores))
        except KeyMissingError:
            raise FileNotFoundError(url) from None
        except StoreError as error:
            raise ServiceError(error.wrong, error.cure) from error
        yield stream


def _opened(url: str, stores: dict[str, Store]) -> AbstractContextManager[IO[bytes]]:
    if _store_protocol(url):
        top, key = _split(url)
        # One Store per container, so that its connections are used again for the next file.
        store = stores.get(top) or stores.setdefault(top, registry.store_at(top))
        return store.open_read(key)
    fs, path = _file_system(url)
    with _explained(url):
        stream: AbstractContextManager[IO[bytes]] = fs.open(path, "rb")
    return stream


def _store_protocol(url: str) -> bool:
    protocol = url.partition("://")[0]
    # These three are Stores, but no protocols: fsspec has its own, the others have no URL.
    return protocol in set(registry.known("store")) - {"fsspec", "local", "memory"}


def _split(url: str) -> tuple[str, str]:
    """The address of the Store that a URL begins with, and the key in it."""
    protocol, _, rest = url.partition("://")
    container, _, key = rest.partition("/")
    return f"{protocol}://{container}", key


def _in_store(url: str) -> Iterator[tuple[str, int | None, str]]:
    top, pattern = _split(url)
    store = registry.store_at(top)
    fixed = pattern
    if has_magic(pattern):
        fixed = "/".join(_before_magic(pattern))
    wanted = _matcher(pattern)
    for key, size, version in _inventory(store, fixed):
        if wanted.fullmatch(key):
            yield f"{top}/{key}", size, version


def _before_magic(pattern: str) -> Iterator[str]:
    for part in pattern.split("/"):
        if has_magic(part):
            # An empty last part, so that what is joined ends with a slash and names a folder.
            yield ""
            return
        yield part


def _matcher(pattern: str) -> re.Pattern[str]:
    """The keys that a pattern stands for; one without wildcards is a key or a folder."""
    from fsspec.utils import glob_translate

    if has_magic(pattern):
        return re.compile(glob_translate(pattern))
    folder = pattern.rstrip("/")
    return re.compile(f"{re.escape(folder)}(/.*)?" if folder else ".*", re.DOTALL)


def _inventory(store: Store, prefix: str) -> Iterator[tuple[str, int | None, str]]:
    """Keys below a prefix with sizes and versions; in one question where the Store can."""
    inventory = getattr(store, "inventory", None)
    if inventory is not None:
        for blob in inventory(prefix):
            yield blob.key, blob.size, str(blob.etag)
        return
    for key in store.list(prefix):
        size = store.size(key)
        yield key, size, str(size)


def _in_file_system(url: str) -> Iterator[tuple[str, int | None, str]]:
    fs, path = _file_system(url)
    with _explained(url):
        if has_magic(path):
            files = fs.glob(path, detail=True)
        elif fs.isdir(path):
            files = fs.find(path, detail=True)
        elif fs.exists(path):
            files = {path: fs.info(path)}
        else:
            raise FileNotFoundError(url)
    for name, info in files.items():
        base = posixpath.basename(name)  # empty for what some tools make for a folder
        if info.get("type") != "directory" and base and not base.startswith("."):
            yield _url(name, url, fs), info.get("size"), _version(info)


def _url(name: str, url: str, fs: Any) -> str:
    """The URL of a path on a file system, which was reached by a URL and may have lost its host."""
    path = fs._strip_protocol(url).strip("/")
    before, within, _ = url.rstrip("/").rpartition(path)
    return before + name.lstrip("/") if within else str(fs.unstrip_protocol(name))


def _version(info: Mapping[str, Any]) -> str:
    said = next((str(info[name]) for name in _VERSIONS if info.get(name)), "")
    return f"{info.get('size')}-{said}"


def _file_system(url: str) -> tuple[Any, str]:
    import fsspec

    refuse_secret(url)
    protocol = url.partition("://")[0]
    try:
        fsspec.get_filesystem_class(protocol)
    except ValueError:
        known = fsspec.available_protocols()
        raise UnknownNameError("storage protocol", protocol, known, f"inputs: {url}") from None
    except ImportError as error:
        raise MissingPackageError(f"inputs: {url}", f"fsspec[{protocol}]") from error
    with _explained(url):
        opened: tuple[Any, str] = fsspec.url_to_fs(url)
    return opened


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn what a file system raises, which may be any class, into one of our errors."""
    try:
        yield
    except (PyvegError, FileNotFoundError):
        raise
    except Exception as error:
        why = answers.lost(error)
        if why.shared:
            parts = urlsplit(url)
            host = f"{parts.scheme}://{parts.netloc}"
            raise ServiceAwayError(f"{host} cannot be reached: {why}", why.cure) from error
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ServiceError(
            f"{url}: {said}", "check the address, your permissions and the connection"
        ) from error
