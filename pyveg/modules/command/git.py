"""The part of git that is needed: which commit a name means, and the files of a commit."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pyveg.core.errors import ConfigError
from pyveg.core.secrets import HIDDEN, has_secret, redacted
from pyveg.modules.command.places import machine_folder, only_one

_FULL = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_OF_ANOTHER = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
"""Set where pyveg is run by a hook of another repository."""
_WAIT = 600.0
"""How long git may take, seconds."""


def resolve(repository: str, commit: str, where: str) -> str:
    """The full id of a commit, tag or branch as it is now.

    Parameters
    ----------
    repository : str
        Address or folder, as ``git clone`` takes it.
    commit : str
        An id, also a short one, or the name of a tag or branch.
    where : str
        Begins the messages of errors.

    Raises
    ------
    ConfigError
        If git is missing, the repository cannot be reached, or the name means no commit there.
    """
    if repository.startswith("-") or commit.startswith("-"):
        raise ConfigError(
            f"{where}: neither repository nor commit may begin with a hyphen",
            "give an address, and an id, a tag or a branch",
        )
    if has_secret(repository):
        address = redacted(repository).replace(f"{HIDDEN}@", "")
        raise ConfigError(
            f"{where}: {address} was given with a password",
            "leave it out; git has credential helpers and ssh keys for it",
        )
    clone = _mirror(repository, commit, where)
    for name in (f"refs/heads/{commit}", commit):  # branches of a mirror are its own
        parsed = _git(
            clone, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
        if parsed.returncode == 0:
            return parsed.stdout.decode().strip()
    raise ConfigError(
        f'{where}: {repository} has no commit "{commit}"',
        "give an id, a tag or a branch that was pushed",
    )


def files_of(repository: str, commit: str, where: str) -> Iterator[tuple[str, bool, bytes]]:
    """Name, whether it is executable, and contents of each file of a commit."""
    clone = _mirror(repository, commit, where)
    done = _git(clone, "archive", "--format=tar", commit)
    if done.returncode:
        raise ConfigError(
            f"{where}: {repository} at {commit}: {_said(done)}", "check that the commit was pushed"
        )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            stream = _contents(archive, member)
            if stream is not None:
                yield member.name, bool(member.mode & 0o100), stream.read()


def _contents(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes] | None:
    """A file, or what a link leads to; None for a folder or a link that leads nowhere."""
    try:
        return archive.extractfile(member)
    except KeyError:
        return None


def _mirror(repository: str, commit: str, where: str) -> Path:
    """A copy of the repository on this machine, with that commit in it if it has it."""
    folder = machine_folder("repositories") / hashlib.sha256(repository.encode()).hexdigest()[:32]
    with only_one(folder):
        if not (folder / "HEAD").exists():
            _checked(_git(None, "init", "-q", "--bare", str(folder)), repository, where)
        # A commit that is here by its full id needs no connection, and never changes.
        known = _git(folder, "cat-file", "-e", f"{commit}^{{commit}}")
        if known.returncode or not _FULL.fullmatch(commit):  # names move
            refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            fetched = _git(folder, "fetch", "-q", "--prune", "--", repository, *refs)
            _checked(fetched, repository, where)
    return folder


def _git(folder: Path | None, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", *(["-C", str(folder)] if folder else []), *arguments]
    quiet = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}  # or it would wait for a password
    environment = {k: v for k, v in os.environ.items() if k not in _OF_ANOTHER}
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**environment, **quiet},
            timeout=_WAIT,
            check=False,
        )
    except FileNotFoundError:
        raise ConfigError(
            "an application in a repository needs the program git, which is not installed here",
            "install it, or name a folder as application",
        ) from None
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"git {arguments[0]} gave no answer in {_WAIT:g} seconds",
            "check the address of the repository and the connection",
        ) from None


def _checked(done: subprocess.CompletedProcess[bytes], repository: str, where: str) -> None:
    if done.returncode:
        raise ConfigError(
            f"{where}: the repository {repository} cannot be fetched: {_said(done)}",
            "check its address and your rights",
        )


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return " ".join(done.stderr.decode(errors="replace").split()) or f"exit code {done.returncode}"
