"""Many keys of a Store at once, where that is faster than one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pyveg.core.ports import Store

A = TypeVar("A")
B = TypeVar("B")


def read_many(store: Store, keys: Iterable[str]) -> dict[str, bytes]:
    """Bytes of each key, in the order given; the first error ends it."""
    names = list(keys)
    return dict(zip(names, each(store, store.read, names), strict=True))


def write_many(store: Store, values: Mapping[str, bytes]) -> None:
    """Store all of them; the first error ends it."""
    each(store, lambda pair: store.write(*pair), values.items())


def each(store: Store, act: Callable[[A], B], things: Iterable[A]) -> list[B]:
    """Do something with a Store for each of some things, as many at once as it is worth.

    Parameters
    ----------
    store : Store
    act : callable
        May be called by many threads.
    things : iterable

    Returns
    -------
    list
        Results in the order of the things.
    """
    items = list(things)
    at_once = min(store.transfers, len(items))
    if at_once <= 1:
        return [act(thing) for thing in items]
    with ThreadPoolExecutor(at_once, thread_name_prefix="pyveg-store") as pool:
        return list(pool.map(act, items))
