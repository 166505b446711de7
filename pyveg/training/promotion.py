"""The best checkpoint is promoted: by its real loss, at once, only if better, with its history.

A folder of models, a Store, has for each model

``<name>/current.json``
    which checkpoint is used now: its loss, its files and where they are. It is written in one step,
    so whoever reads it sees the former model or the new one, and nothing between.
``<name>/history/<digest>/``
    the files of every checkpoint that was ever promoted, which are never changed.
``<name>/history.jsonl``
    a line for each promotion, the first one first.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyveg.core.errors import CommandError, ConfigError, KeyMissingError, RunLockedError
from pyveg.core.layout import item_folder
from pyveg.core.ports import Store
from pyveg.core.values import read_json

LOSSES = "losses.json"
"""What a trainer may leave beside its checkpoints: name of a file -> its loss."""
ENDINGS = (".ckpt", ".onnx", ".pt", ".pth", ".safetensors", ".joblib")
"""Of files that are checkpoints."""
_RECORD = ".json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_POWER = r"(?:[eE][-+]?[0-9]+)?"
_SAID = re.compile(
    rf"loss[=_-](-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+){_POWER})(?=$|[^0-9.])", re.IGNORECASE
)
# With a point, as "epoch=3" and "step=1300" are no losses.
_BARE = re.compile(rf"(?:^|[_-])([0-9]*\.[0-9]+{_POWER})$")
_PATIENCE = 30.0
"""Seconds that a promotion waits for another one of the same model."""


@dataclass(frozen=True)
class Checkpoint:
    """A model that a training has made."""

    name: str
    """Of its file."""
    loss: float
    """On images that were held out; less is better."""


@dataclass(frozen=True)
class Promoted:
    """The model that is used now."""

    name: str
    """Of its file."""
    loss: float
    digest: str
    files: tuple[str, ...]
    """Keys in the Store of models, that of the checkpoint first."""
    run: str = ""
    """Which run has made it."""
    at: str = ""
    """When it was promoted, ISO 8601."""

    def to_json(self) -> dict[str, Any]:
        """Plain data that `current` reads back."""
        return {**vars(self), "files": list(self.files)}


def check_name(name: str, where: str) -> None:
    """Refuse a name of a model that could be no folder; `ConfigError`."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{where}: {name[:80]!r} is no name of a model",
            "use letters, digits, dots, hyphens and underscores",
        )


def checkpoints(names: list[str], losses: Mapping[str, Any]) -> list[Checkpoint]:
    """The checkpoints among the files of a training, the best first.

    Parameters
    ----------
    names : list of str
        Of its files.
    losses : mapping of str to float
        What the trainer says of them; where it says nothing, the name does: the number behind
        ``loss=``, or, where it has no "loss", one with a decimal point at the end.

    Raises
    ------
    CommandError
        If there is none, or a loss is unknown, ambiguous, negative or not finite.

    Examples
    --------
    >>> found = checkpoints(["loss=.50.ckpt", "b-loss=1.05.ckpt", "epoch=7_0.31.ckpt"], {})
    >>> [one.loss for one in found]
    [0.31, 0.5, 1.05]
    """
    found = [name for name in names if name.lower().endswith(ENDINGS)]
    if not found:
        raise CommandError(
            "the training left no checkpoint", f"write a file that ends with {', '.join(ENDINGS)}"
        )
    made = [Checkpoint(name, _loss(name, losses)) for name in found]
    return sorted(made, key=lambda one: (one.loss, one.name))


def _loss(name: str, losses: Mapping[str, Any]) -> float:
    value = losses.get(name)
    if value is None:
        value = _said(name.rpartition("/")[2].rpartition(".")[0])
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    loss = float(value) if usable and value is not None else math.nan
    if not (math.isfinite(loss) and loss >= 0):
        raise CommandError(
            f"the checkpoint {name} has no loss that can be compared: {value!r}",
            f'write {LOSSES} beside it: {{"{name}": 0.31}}, or "loss=0.31" into its name',
        )
    return loss


def _said(stem: str) -> float | None:
    """The loss that a name tells; None where it tells none, or several."""
    # The whole number: the digits behind the dot alone would take 1.05 for less than 0.31.
    numbers = (_SAID if "loss" in stem.lower() else _BARE).findall(stem)
    losses = {float(number) for number in numbers}
    return losses.pop() if len(losses) == 1 else None


def current(models: Store, name: str) -> Promoted | None:
    """The model of that name that is used now; None where none was promoted yet.

    Raises
    ------
    ConfigError
        If what is written of it cannot be read.
    """
    key = f"{name}/current.json"
    try:
        found = read_json(models.read(key))
        return Promoted(**{**found, "files": tuple(found["files"])})
    except KeyMissingError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{models.url}: {key} is damaged: {error}",
            f"write the last line of {name}/history.jsonl there",
        ) from None


def promote(
    models: Store, name: str, best: Checkpoint, files: Mapping[str, bytes], run: str = ""
) -> tuple[Promoted, bool]:
    """Make a checkpoint the model that is used, if it is better than the one that is.

    Parameters
    ----------
    models : Store
        The folder of models.
    name : str
        Of the model.
    best : Checkpoint
    files : mapping of str to bytes
        Its own file, and what belongs to it, such as its record.
    run : str
        Which run has made it, for the history.

    Returns
    -------
    used : Promoted
        The model that is used from now on.
    new : bool
        Whether it is this one.

    Raises
    ------
    RunLockedError
        If another promotion of that model does not end.
    """
    with _held(models, f"{name}/lock"):
        before = current(models, name)
        if before is not None and before.loss <= best.loss:
            return before, False
        digest = _digest(files)
        folder = f"{name}/history/{digest}"
        names = [best.name, *sorted(set(files) - {best.name})]
        for file in names:
            models.write(f"{folder}/{item_folder(file)}", files[file])
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        keys = tuple(f"{folder}/{item_folder(file)}" for file in names)
        made = Promoted(best.name, best.loss, digest, keys, run, moment)
        line = json.dumps(made.to_json())
        lines = _history(models, name)
        # One that was broken off here has written its line already.
        if f'"digest": "{digest}"'.encode() not in (lines.splitlines() or [b""])[-1]:
            models.write(f"{name}/history.jsonl", lines + line.encode() + b"\n")
        # Last: all that it names is there.
        models.write(f"{name}/current.json", line.encode())
        return made, True


def belongings(name: str, names: list[str]) -> list[str]:
    """A checkpoint's file and its record, if there is one among the files."""
    record = name.rpartition(".")[0] + _RECORD
    return [name, *([record] if record in names else [])]


def _history(models: Store, name: str) -> bytes:
    try:
        return models.read(f"{name}/history.jsonl")
    except KeyMissingError:
        return b""


def _digest(files: Mapping[str, bytes]) -> str:
    found = hashlib.sha256()
    for name, data in sorted(files.items()):
        found.update(f"{name}\0{len(data)}\0".encode())
        found.update(data)
    return found.hexdigest()[:16]


@contextmanager
def _held(models: Store, key: str) -> Iterator[None]:
    """Have a lock that somebody else may have for a moment."""
    end = time.monotonic() + _PATIENCE
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(models.lock(key))
                break
            except RunLockedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        yield
