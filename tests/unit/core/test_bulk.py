"""Many keys at once."""

from __future__ import annotations

import threading
from typing import ClassVar

import pytest

from pyveg.core import bulk
from pyveg.core.errors import KeyMissingError
from pyveg.storage.memory import MemoryStore


class Far(MemoryStore):
    """Answers only when as many ask as it can take at once."""

    transfers: ClassVar[int] = 4

    def __init__(self) -> None:
        super().__init__()
        self.barrier = threading.Barrier(4)

    def write(self, key: str, data: bytes) -> None:
        self.barrier.wait(10)
        super().write(key, data)

    def read(self, key: str) -> bytes:
        if key != "not there":
            self.barrier.wait(10)
        return super().read(key)


def test_as_many_at_once_as_the_store_is_worth() -> None:
    store, values = Far(), {f"k{number}": bytes([number]) for number in range(8)}
    bulk.write_many(store, values)
    assert bulk.read_many(store, values) == values
    assert list(bulk.read_many(store, ["k3", "k1", "k2", "k0"])) == ["k3", "k1", "k2", "k0"]


def test_a_near_store_is_served_by_this_thread() -> None:
    threads = bulk.each(MemoryStore(), lambda _: threading.get_ident(), range(3))
    assert threads == [threading.get_ident()] * 3
    assert bulk.each(Far(), str, []) == []


def test_the_first_error_is_raised() -> None:
    with pytest.raises(KeyMissingError, match="not there"):
        bulk.read_many(Far(), ["not there", "not there"])
