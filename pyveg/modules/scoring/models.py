"""The model on its way: to the Store where other machines get it, and open in a process."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

from pyveg.caches import cache_folder
from pyveg.core import registry
from pyveg.core.errors import RunError
from pyveg.core.layout import PRIVATE
from pyveg.core.ports import Store
from pyveg.core.scorer import Model, Scorer

_open: dict[tuple[str, str, float], Scorer] = {}
_lock = threading.Lock()


def key_of(digest: str) -> str:
    """Where a model is in the Store of a run, if it was sent there."""
    return f"{PRIVATE}/models/{digest}"


def send(model: Model, store: Store) -> None:
    """Copy a model's file to the Store, where it is not yet."""
    if not model.in_file or store.size(key_of(model.digest)) is not None:
        return
    with Path(model.where).open("rb") as source, store.open_write(key_of(model.digest)) as target:
        shutil.copyfileobj(source, target)


def opened(scorer: str, model: Model, threshold: float, store: Store) -> Scorer:
    """A model that is ready; each process opens it once.

    Raises
    ------
    RunError
        If the file has changed since the run was planned.
    """
    key = scorer, model.digest, threshold
    with _lock:
        if key not in _open:
            cls = registry.scorer_class(scorer)
            _open[key] = cls(_here(cls, model, store), model.record, threshold)
        return _open[key]


def _here(cls: type[Scorer], model: Model, store: Store) -> str:
    """Where the model is on this machine."""
    if not model.in_file or _is_same(cls, model):
        return model.where
    if store.size(key_of(model.digest)) is None:
        raise RunError(
            f"the model {model.where} has changed since the run was planned", "start it again"
        )
    path = cache_folder() / "models" / model.digest / Path(model.where).name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        with store.open_read(key_of(model.digest)) as source, part.open("wb") as target:
            shutil.copyfileobj(source, target)
        part.replace(path)
    return str(path)


def _is_same(cls: type[Scorer], model: Model) -> bool:
    """Whether the file that was planned with is here, as it was then."""
    path = Path(model.where)
    return path.is_file() and cls.digest_of(model.where, model.record) == model.digest
