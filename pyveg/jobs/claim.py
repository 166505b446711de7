"""The place of a run: its address, its lock, and its record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pyveg.core import registry, stop
from pyveg.core.errors import ConfigError, LockLostError, RunLockedError, StoreError
from pyveg.core.fencing import FencedStore
from pyveg.core.layout import CONFIG_FILE, LOCK, RUN_FILE
from pyveg.core.manifest import versions
from pyveg.core.pipeline import Pipeline
from pyveg.core.ports import Lock, Store
from pyveg.jobs import run_use, trust
from pyveg.runs.run import is_empty, is_run


class Place(NamedTuple):
    """Where a run is, or will be."""

    store: Store
    moment: datetime | None = None
    """What its name ends with; None where it has a name of its own."""

    def next_free(self, pipeline: Pipeline) -> Place:
        """The place of a run that begins a second later."""
        if self.moment is None:
            raise _taken(self.store)
        return stamped(pipeline, self.moment + timedelta(seconds=1))


class Claim(NamedTuple):
    """A run that this process alone may write to."""

    store: Store
    """Refuses to write when the lock has been lost."""
    lock: Lock


def stamped(pipeline: Pipeline, moment: datetime | None = None) -> Place:
    """The place of a new run, named after the config's output_location and the time."""
    moment = moment or datetime.now(tz=UTC).astimezone()
    return Place(_store_at(pipeline, f"{moment:%Y-%m-%d_%H-%M-%S}"), moment)


def given(store: Store) -> Place:
    """A place that the caller has chosen.

    Raises
    ------
    ConfigError
        If something is there.
    """
    if not is_empty(store):
        raise _taken(store)
    return Place(store)


@contextmanager
def claimed_new(place: Place, pipeline: Pipeline, config_text: str | None) -> Iterator[Claim]:
    """A new run, held against other processes, with the config in it.

    Where another run has come to that place meanwhile, it gets the next free name.
    """
    while True:
        with ExitStack() as stack:
            try:
                lock = stack.enter_context(place.store.lock(LOCK))
                # Looked at under the lock, since another run may begin in the same second.
                taken = not is_empty(place.store)
            except RunLockedError:
                taken = True
            if not taken:
                claim = Claim(FencedStore(place.store, lock.check), lock)
                _write_record(claim.store, pipeline, config_text)
                yield claim
                _clear(claim.store)
                return
        place = place.next_free(pipeline)


@contextmanager
def claimed_again(store: Store, pipeline: Pipeline, config_text: str | None) -> Iterator[Claim]:
    """A run that is there, to be finished; with another config in it where one is given."""
    with store.lock(LOCK) as lock:
        claim = Claim(FencedStore(store, lock.check), lock)
        stop.forget(claim.store)  # whoever asked for it meant an earlier attempt
        # Under the lock: partial files may be those of a process that still writes.
        claim.store.discard_partial()
        if config_text is not None:
            _write_record(claim.store, pipeline, config_text)
        yield claim
        _clear(claim.store)


def _clear(store: Store) -> None:
    """Remove what workers that were killed have half written; nobody writes any more."""
    with suppress(StoreError, LockLostError):
        store.discard_partial()


def _store_at(pipeline: Pipeline, stamp: str) -> Store:
    location = f"{pipeline.output_location}_{stamp}"
    kind = pipeline.output_location_type
    if kind == "local":
        store: Store = registry.load("store", "local")(Path(location).expanduser().absolute())
    elif kind in registry.known("store") and kind != "fsspec":
        store = registry.load("store", kind, "output_location_type")(location)
    else:
        store = registry.load("store", "fsspec")(f"{kind}://{location}")
    return store


def _taken(store: Store) -> ConfigError:
    if is_run(store):
        return ConfigError(
            f"there is a run at {store.url} already", "finish it with from_cache, or choose another"
        )
    return ConfigError(f"{store.url} is not empty", "choose another place for the run")


def _write_record(store: Store, pipeline: Pipeline, config_text: str | None) -> None:
    """Write the config to the run, as it was written and as it was understood."""
    if config_text is not None:
        store.write(CONFIG_FILE, config_text.encode())
    plain = json.loads(json.dumps(pipeline.to_json()))  # as it is read back, and signed
    used = [one.to_json() for one in run_use.of_run(store)]  # by earlier attempts
    record = {
        **({run_use.KEY: used} if used else {}),
        "pipeline": plain,
        "versions": versions(),
        "written_to": store.url,
        trust.SIGNED: trust.signature_of(plain),
    }
    store.write(RUN_FILE, (json.dumps(record, indent=1) + "\n").encode())
