"""Everything in a Store, removed."""

from __future__ import annotations

from pyveg.core.ports import Store


def remove_all(store: Store) -> None:
    """Remove all values of a Store, whatever they are.

    Parameters
    ----------
    store : Store
        What stands beside it stays, such as the rest of a bucket.

    Raises
    ------
    StoreError
        If one cannot be removed; those before it are gone, and it can be tried again.

    Examples
    --------
    >>> from pyveg.storage.memory import MemoryStore
    >>> store = MemoryStore()
    >>> store.write("a/b.txt", b"1")
    >>> remove_all(store)
    >>> list(store.list())
    []
    """
    for key in list(store.list()):
        store.delete(key)
