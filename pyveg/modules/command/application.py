"""The user's application: its files, packed so that equal contents give equal bytes."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from pyveg.caches import VARIABLE
from pyveg.core import secrets
from pyveg.core.errors import CommandError, ConfigError
from pyveg.core.layout import PRIVATE, RUN_FILE
from pyveg.core.ports import Store
from pyveg.modules.command.places import machine_folder, only_one, readable_by_all

LARGE = 100 * 2**20
"""Bytes from which on an application is worth a warning."""
_LEFT_OUT = (
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "__pycache__",
    "*.pyc",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".ipynb_checkpoints",
    ".tox",
    ".nox",
    ".idea",
    ".vscode",
    ".DS_Store",
    "node_modules",
    "*.egg-info",
)
_SECRET = (
    "azure_config.py",
    ".env",
    ".env.*",
    "*.env",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.kdbx",
    "*.ppk",
    "*.keystore",
    "credentials",
    "*credentials.json",
    "*_credentials",
    "*service[-_]account*.json",
    "secrets.toml",
    "secrets.y*ml",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    "_netrc",
    ".pypirc",
    ".npmrc",
    ".pgpass",
    ".git-credentials",
    ".htpasswd",
    ".ssh",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".gnupg",
    ".boto",
    ".s3cfg",
)
"""Names of files and folders that hold secrets; never a part of an application."""
_CONFIG = re.compile(rb"^modules_to_use\s*=", re.MULTILINE)
"""Stands in every config of pyveg."""
_PIECE = 2**20
_LONGEST_SECRET = 4096
"""Bytes that a secret may have and be found where two pieces of a file meet."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Member:
    """One file of an application."""

    name: str
    """Its path below the application's folder, with "/"."""
    executable: bool
    read: Callable[[], bytes]


def in_folder(folder: Path, ignore: Sequence[str], job_files: Iterable[str] = ()) -> list[Member]:
    """Files of an application in a folder of this machine, sorted by name.

    What can be made again, hidden folders of tools, environments and runs of pyveg are no part of
    it; nor are files that belong to the job, such as inputs and the config, or that hold secrets.

    Parameters
    ----------
    folder : Path
    ignore : sequence of str
        Patterns of more names, or of paths below the folder, to leave out.
    job_files : iterable of str
        Paths of files in it that belong to the job, such as inputs and the config.

    Raises
    ------
    ConfigError
        If the folder is missing or has no file, or one cannot be read.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise ConfigError(f"application: {folder} {what}", "name the folder of your program")
    secrets.look_again()  # what is packed leaves this machine
    others = set(job_files)
    members = [
        Member(name, os.access(path, os.X_OK), partial(_read, path))
        for name, path in _walk(folder, (*_LEFT_OUT, *_SECRET, *ignore))
        if str(path) not in others and not _is_private(path)
    ]
    odd = next((m.name for m in members if not _is_text(m.name)), None)
    if odd is not None:
        raise ConfigError(
            f"application: the name of {os.fsencode(odd)!r} is not UTF-8", "rename it"
        )
    if not members:
        raise ConfigError(
            f"application: {folder} has no file in it", "name the folder of your program"
        )
    return sorted(members, key=lambda member: member.name)


def secrets_in(folder: Path, ignore: Sequence[str]) -> list[str]:
    """Names of files that are left out since they hold secrets, or their names say so."""
    packed = {name for name, _ in _walk(folder, (*_LEFT_OUT, *_SECRET, *ignore))}
    every = list(_walk(folder, (*_LEFT_OUT, *ignore)))
    return sorted(name for name, path in every if name not in packed or _has_secret(path))


def is_secret(name: str, data: bytes) -> bool:
    """Whether a file of a repository holds a secret, or its name or folder says so."""
    parts = name.split("/")
    return any(_ignored("", part, _SECRET) for part in parts) or secrets.holds_secret(data)


def _is_private(path: Path) -> bool:
    """Whether a file is a config of pyveg, or holds a secret."""
    return _has_secret(path) or (path.suffix == ".py" and _is_config(path))


def _has_secret(path: Path) -> bool:
    if secrets.is_secret_file(path):
        return True
    # One that cannot be read is told when it is packed.
    with suppress(OSError), path.open("rb") as stream:
        before = b""
        while data := stream.read(_PIECE):
            if secrets.holds_secret(before + data):
                return True
            before = data[-_LONGEST_SECRET:]
    return False


def _is_config(path: Path) -> bool:
    with suppress(OSError):
        return _CONFIG.search(path.read_bytes()) is not None
    return False


def size_of(folder: Path, ignore: Sequence[str]) -> int:
    """Bytes of all files that would be packed."""
    files = _walk(folder, (*_LEFT_OUT, *_SECRET, *ignore))
    return sum(path.stat().st_size for _, path in files)


def digest_of(members: Iterable[Member]) -> str:
    """Digest of names, contents and what is executable."""
    digest = hashlib.sha256()
    for member in members:
        data = member.read()
        name = os.fsencode(member.name)
        # With lengths, so that bytes cannot move from a name to its contents unnoticed.
        digest.update(b"%d:%b:%d:%d:" % (len(name), name, member.executable, len(data)))
        digest.update(data)
    return digest.hexdigest()[:32]


def key_of(digest: str) -> str:
    """Where the packed application is in the Store."""
    return f"{PRIVATE}/applications/{digest}.zip"


def pack(members: Iterable[Member], stream: IO[bytes]) -> None:
    """Write a zip file, the same for the same members."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            # A fixed time, the earliest that a zip can hold: equal files give equal bytes.
            entry = zipfile.ZipInfo(member.name, _EPOCH)
            entry.external_attr = (0o755 if member.executable else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, member.read())


def unpacked(store: Store, digest: str) -> Path:
    """The folder of an application on this machine; unpacked there once.

    Parameters
    ----------
    store : Store
        Has it packed.
    digest : str

    Raises
    ------
    CommandError
        If there is no room for it.
    KeyMissingError
        If the Store has it not.
    """
    folder = machine_folder("applications") / digest
    with only_one(folder):
        if not folder.exists():
            # Beside it, so that it appears whole: a move within one file system is one step.
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as making:
                _unpack(store, digest, Path(making, digest))
                Path(making, digest).replace(folder)
    return folder


def _unpack(store: Store, digest: str, folder: Path) -> None:
    try:
        with store.open_read(key_of(digest)) as packed, tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(packed, copy)
            with zipfile.ZipFile(copy) as archive:
                for entry in archive.infolist():
                    path = Path(archive.extract(entry, folder))
                    path.chmod(entry.external_attr >> 16)
    except OSError as error:
        raise CommandError(
            f"the application cannot be unpacked to {folder}: {error.strerror or error}",
            f"free some space, or set {VARIABLE} to another folder",
        ) from error
    readable_by_all(folder)


def copied(application: Path, folder: Path) -> None:
    """A fresh copy of an application, so that no item finds what another one has left in it.

    Parameters
    ----------
    application : Path
        Its folder on this machine, which nobody writes to.
    folder : Path
        Where the copy goes; what is there is removed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(application, folder)


def _walk(folder: Path, left_out: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for root, folders, files in os.walk(folder):
        below = os.path.relpath(root, folder)
        prefix = "" if below == "." else f"{Path(below).as_posix()}/"
        folders[:] = sorted(
            name
            for name in folders
            if not _ignored(prefix, name, left_out) and not _is_environment_or_run(Path(root, name))
        )
        for name in files:
            path = Path(root, name)
            if not _ignored(prefix, name, left_out) and path.is_file():
                yield prefix + name, path


def _ignored(prefix: str, name: str, patterns: Sequence[str]) -> bool:
    return any(
        fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(prefix + name, pattern)
        for pattern in patterns
    )


def _is_environment_or_run(folder: Path) -> bool:
    """Whether a folder is a Python environment or a run of pyveg: made by programs, not written."""
    return (folder / "pyvenv.cfg").is_file() or (folder / RUN_FILE).is_file()


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"application: {path} cannot be read: {error.strerror}",
            "give yourself permission to read it, or leave it out by ignore",
        ) from error
