"""Whether the record of a run is this user's own, and what finishing the run would execute.

To finish a run is to do what its record says: to start programs and to import Modules. A record
that came from another machine or user, or that somebody has changed, may say anything. So records
are signed with a key that stays on this machine, and what an unsigned one would execute is shown,
and done only where somebody says that it is trusted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import packages_distributions
from typing import Any

from platformdirs import user_data_path

from pyveg.caches import cache_folder
from pyveg.core.errors import RunError
from pyveg.core.texts import cut, shown
from pyveg.runs.run import Run

SIGNED = "signed"
"""Name of the signature in a run's record."""
_KEY_FILE = "records.key"
_SHOWN = 10
_LONGEST = 200


def signature_of(pipeline: Mapping[str, Any]) -> str:
    """What only this user of this machine writes beside a Pipeline; empty where no key can be kept.

    Parameters
    ----------
    pipeline : mapping
        As the record has it, plain data.
    """
    key = _key()
    if not key:
        return ""
    text = json.dumps(pipeline, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def check(run: Run) -> None:
    """Refuse a run that would execute what this user has not asked for.

    Raises
    ------
    RunError
        It shows what would be executed.
    """
    if _is_own(run):
        return
    executed = list(dict.fromkeys(_executed_by(run)))
    if not executed:
        return
    more = len(executed) - _SHOWN
    listed = "; ".join(executed[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    raise RunError(
        f"the record of {run.url} was written by another user or machine, or changed since; to "
        f"finish the run would execute here: {listed}",
        "look at that, and give --trust if you trust whoever wrote it",
    )


def _is_own(run: Run) -> bool:
    signed = run.record.get(SIGNED)
    if not isinstance(signed, str) or not signed:
        return False
    return hmac.compare_digest(signed.encode(), signature_of(run.record["pipeline"]).encode())


def _executed_by(run: Run) -> Iterator[str]:
    """Commands, and parts that are named by a path and belong to no installed package, in words."""
    names: list[Any] = [run.record["pipeline"].get("runner")]
    for step in run.steps:
        command = step.settings.get("command")
        if command:
            words = command if isinstance(command, list) else [command]
            yield _shown(f"the command {shlex.join(map(str, words))}")
        collection = step.scope.subject.get("collection")
        source = collection.get("source") if isinstance(collection, Mapping) else None
        names += [step.module, source, step.settings.get("run_mode")]
    for name in names:
        if isinstance(name, str) and _is_outside(name):
            yield _shown(f"code of {name}")


def _is_outside(name: str) -> bool:
    if ":" not in name:
        return False
    return name.partition(":")[0].partition(".")[0] not in packages_distributions()


def _shown(text: str) -> str:
    return cut(shown(text), _LONGEST)


@cache
def _key_in(folder: str) -> bytes:
    path = os.path.join(folder, _KEY_FILE)  # noqa: PTH118 - with os.open below
    with suppress(OSError):
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        with suppress(FileExistsError):
            # Whole at once: another process may read it at this moment.
            part = f"{path}.{os.getpid()}"
            file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "wb") as stream:
                stream.write(secrets.token_bytes(32))
            try:
                os.link(part, path)
            finally:
                os.unlink(part)  # noqa: PTH108
        with open(path, "rb") as stream:  # noqa: PTH123
            return stream.read()
    return b""


def _key() -> bytes:
    """The key of this user on this machine, made at the first need."""
    return _key_in(str(user_data_path("pyveg", appauthor=False))) or _key_in(str(cache_folder()))
