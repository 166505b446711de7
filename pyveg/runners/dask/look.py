"""How the workers of a run are at this moment: any process may ask that reaches the scheduler."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from distributed import Client
from distributed.versions import VersionMismatchWarning

from pyveg.core.errors import EngineError, KeyMissingError
from pyveg.core.execute import describe
from pyveg.core.ports import NodeSeen, Store, WorkSeen
from pyveg.core.values import read_json
from pyveg.runners.dask.cluster import address_of, quiet
from pyveg.runners.dask.opening import marker_key
from pyveg.runners.dask.settings import LOCAL

_PATIENCE = 4.0
"""Seconds that a scheduler may take to answer."""


class DaskView:
    """What the scheduler tells of one run; each answer is asked for anew.

    Parameters
    ----------
    address : str
        Of the scheduler.
    tokens : frozenset of str
        How the run is called there.
    """

    def __init__(self, address: str, tokens: frozenset[str]) -> None:
        self._address = address
        self._tokens = tokens

    def nodes(self) -> list[NodeSeen]:
        """The workers, also those that work for others."""
        with self._asked() as client:
            given: Mapping[str, Any] = client.processing()
        return [
            NodeSeen(address, "working" if keys else "idle")
            for address, keys in sorted(given.items())
        ]

    def running(self) -> list[WorkSeen]:
        """What they do for the run: of Tasks that travel together, the first."""
        with self._asked() as client:
            threads: Mapping[str, int] = client.nthreads()
            given: Mapping[str, Any] = client.processing()
        found = []
        for address, keys in given.items():
            mine = tuple(key[1] for key in keys if self._is_of_run(key))
            if mine:
                # A few wait with the worker; they begin in the order that they came in.
                found.append(WorkSeen(mine[: threads.get(address, 1)], address))
        return found

    def log(self, task_id: str) -> str:
        """Nothing: Dask keeps no log of a Task that runs."""
        del task_id
        return ""

    def node_log(self, node: str) -> str:
        """Nothing: a worker is there when it is set up."""
        del node
        return ""

    def _is_of_run(self, key: Any) -> bool:
        return isinstance(key, tuple) and str(key[0]).rpartition("-")[2] in self._tokens

    @contextmanager
    def _asked(self) -> Iterator[Client]:
        try:
            with warnings.catch_warnings(), quiet():
                warnings.simplefilter("ignore", VersionMismatchWarning)
                with Client(
                    self._address, set_as_default=False, name="pyveg-look", timeout=_PATIENCE
                ) as client:
                    yield client
        except (OSError, ValueError) as error:  # a time-out is an OSError too
            raise EngineError(
                f"the Dask scheduler at {self._address} tells nothing ({describe(error)})",
                "ask on a machine that reaches it",
            ) from error


def open_view(scheduler: str, store: Store) -> DaskView | None:
    """Look at the scheduler that a run uses; None where none can be known.

    Parameters
    ----------
    scheduler : str
        As the settings of the engine have it.
    store : Store
        Of the run; a marker in it says how the run is called at the scheduler, and where workers
        are that were started for this run alone.
    """
    folder = marker_key("")
    tokens = {key.removeprefix(folder): _told_in(store, key) for key in store.list(folder)}
    if scheduler != LOCAL:
        return DaskView(address_of(scheduler), frozenset(tokens))
    found = [address for address in tokens.values() if address]
    return DaskView(found[-1], frozenset(tokens)) if found else None


def told(address: str) -> bytes:
    """What the marker of a run says of its scheduler."""
    return json.dumps({"scheduler": address}).encode()


def _told_in(store: Store, key: str) -> str:
    try:
        return str(read_json(store.read(key)).get("scheduler", ""))
    except (KeyMissingError, ValueError, AttributeError):  # gone, or of an earlier version
        return ""
