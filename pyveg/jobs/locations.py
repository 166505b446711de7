"""What people call a place of results: a folder, a URL, the name of a container."""

from __future__ import annotations

from pathlib import Path

from pyveg.core import registry
from pyveg.core.ports import Store
from pyveg.runs.run import Run, is_run, open_run
from pyveg.storage import azure


def open_location(where: str | Path) -> Store:
    """The Store at a folder, a URL or a container, there or not."""
    return azure.container_named(str(where)) or registry.store_at(str(where))


def find_store(where: str | Path) -> Store:
    """The Store at a folder, a URL or a container.

    Raises
    ------
    StoreError
        If it is a container that is not there.
    """
    store = open_location(where)
    azure.refuse_missing(store)
    return store


def find_run(where: str | Path) -> Run:
    """A run by its folder, its URL or the name of its container.

    Raises
    ------
    NotARunError
        If there is none.
    """
    store = open_location(where)
    if not is_run(store):
        azure.refuse_missing(store)
    return open_run(store)
