"""What every Store must do, as a suite of tests to subclass.

::

    class TestMyStore(StoreContract):
        def make_store(self, folder):
            return MyStore(...)
"""

from __future__ import annotations

import json
import os
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest

from pyveg.core.errors import KeyMissingError, RunLockedError, StoreError
from pyveg.core.ports import Rights, Store
from pyveg.core.registry import open_store

BAD_KEYS = ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\\b", "C:/a", "a\0b"]
RIGHTS: list[Rights] = ["all", "read", "add", "none"]
ODD_KEYS = ["a b", "ä€/ü", "100%41", "a/b.c/d", "'\"$(x)", "-x", "a#b?c", "a.b"]


def _write_and_fail(stream: IO[bytes]) -> None:
    stream.write(b"half")
    raise ZeroDivisionError


class StoreContract:
    """Tests that every Store passes; pytest gives each a folder of its own."""

    def make_store(self, folder: Path) -> Store:
        """A new, empty Store."""
        raise TypeError(f"say how to make one in {folder}")

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        """The Store under test."""
        return self.make_store(tmp_path / "store")

    def test_what_is_written_is_read(self, store: Store) -> None:
        """Also empty values, and values that replace others."""
        for data in (b"one", b"", b"another", bytes(range(256)) * 1000):
            store.write("a/b", data)
            assert store.read("a/b") == data
            assert store.size("a/b") == len(data)

    def test_a_missing_key_is_told(self, store: Store) -> None:
        """By its name."""
        store.write("there/too", b"x")
        for key in ("none", "there", "there/none", "there/too/deep"):
            assert store.size(key) is None
            with pytest.raises(KeyMissingError, match=key):
                store.read(key)
            with pytest.raises(KeyMissingError), store.open_read(key):
                pass
            store.delete(key)
        assert store.read("there/too") == b"x"

    def test_deleting(self, store: Store) -> None:
        """Twice is no error."""
        store.write("a/b", b"x")
        store.delete("a/b")
        store.delete("a/b")
        assert store.size("a/b") is None
        assert list(store.list()) == []

    def test_listing(self, store: Store) -> None:
        """Sorted, whole keys, by any prefix; an empty Store has none."""
        assert list(store.list()) == []
        keys = ["a/b/c", "a/b2", "a/b/d", "ab", "z"]
        for key in keys:
            store.write(key, b"x")
        assert list(store.list()) == sorted(keys)
        assert list(store.list("a/")) == ["a/b/c", "a/b/d", "a/b2"]
        assert list(store.list("a/b/")) == ["a/b/c", "a/b/d"]
        assert list(store.list("a/b")) == ["a/b/c", "a/b/d", "a/b2"]
        assert list(store.list("none/")) == []

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_odd_keys_are_kept_as_they_are(self, store: Store, key: str) -> None:
        """Nothing is interpreted."""
        store.write(key, key.encode())
        assert store.read(key) == key.encode()
        assert list(store.list()) == [key]
        store.delete(key)
        assert list(store.list()) == []

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_bad_keys_are_refused(self, store: Store, key: str) -> None:
        """By every method, and nothing is written."""
        for method in (store.read, store.size, store.delete):
            with pytest.raises(StoreError):
                method(key)
        with pytest.raises(StoreError):
            store.write(key, b"x")
        with pytest.raises(StoreError), store.open_write(key):
            pass
        assert list(store.list()) == []

    def test_streams(self, store: Store) -> None:
        """A large value, in parts."""
        with store.open_write("big") as stream:
            for part in range(40):
                stream.write(bytes([part]) * 100_000)
            assert store.size("big") is None
        assert store.size("big") == 4_000_000
        with store.open_read("big") as stream:
            assert stream.read(3) == b"\0\0\0"
            assert len(stream.read()) == 4_000_000 - 3

    def test_a_stream_that_fails_changes_nothing(self, store: Store) -> None:
        """The value from before stays."""
        store.write("a", b"before")
        for key in ("a", "b"):
            with pytest.raises(ZeroDivisionError), store.open_write(key) as stream:
                _write_and_fail(stream)
        assert store.read("a") == b"before"
        assert list(store.list()) == ["a"]

    def test_writers_of_one_key_leave_one_whole_value(self, store: Store) -> None:
        """Readers meanwhile see whole values too."""
        values = [bytes([number]) * 50_000 for number in range(8)]
        store.write("key", values[0])
        seen: list[bytes] = []

        def write(value: bytes) -> None:
            for _ in range(5):
                store.write("key", value)
                seen.append(store.read("key"))

        threads = [threading.Thread(target=write, args=(value,)) for value in values]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == 40
        assert set(seen) <= set(values)
        assert list(store.list()) == ["key"]

    def test_it_can_be_opened_again_from_its_spec(self, store: Store) -> None:
        """The spec is plain JSON."""
        store.write("a/b", b"x")
        again = open_store(json.loads(json.dumps(store.spec())))
        assert again.read("a/b") == b"x"
        assert again.url == store.url
        assert again.shared == store.shared

    def test_a_lock_is_held_by_one(self, store: Store) -> None:
        """Through any opening of the Store; it can be taken again afterwards."""
        again = open_store(store.spec())
        for _ in range(2):
            with store.lock("_pyveg/lock"):
                for other in (store, again):
                    with pytest.raises(RunLockedError), other.lock("_pyveg/lock"):
                        pass
                with again.lock("another"):
                    pass
        with again.lock("_pyveg/lock"):
            assert list(store.list()) == []

    def test_a_lock_is_freed_after_an_error(self, store: Store) -> None:
        """As after any other end."""
        with pytest.raises(ZeroDivisionError), store.lock("lock"):
            raise ZeroDivisionError
        with store.lock("lock"):
            pass

    def test_each_taking_of_a_lock_has_an_epoch_of_its_own(self, store: Store) -> None:
        """One more than the last, through any opening; it outlives the release."""
        again = open_store(store.spec())
        assert store.epoch("lock") == 0
        for taking, opened in enumerate((store, again, store), 1):
            with opened.lock("lock") as lock:
                assert lock.epoch == store.epoch("lock") == again.epoch("lock") == taking
                lock.check()
            assert store.epoch("lock") == again.epoch("lock") == taking
        assert store.epoch("another") == 0
        assert list(store.list()) == []

    def test_the_holder_of_a_lock_is_told(self, store: Store) -> None:
        """By any opening; nobody is told after its release, nor before it was ever taken."""
        again = open_store(store.spec())
        assert store.holder("lock") is None
        before = datetime.now(UTC) - timedelta(seconds=2)
        for taking in (1, 2):
            with store.lock("lock"):
                for opened in (store, again):
                    holder = opened.holder("lock")
                    assert holder is not None
                    assert (holder.host, holder.pid) == (socket.gethostname(), os.getpid())
                    assert (holder.epoch, holder.alive) == (taking, True)
                    assert before <= holder.since <= datetime.now(UTC)
                    assert holder.seen is None or before <= holder.seen
                assert again.holder("another") is None
            assert store.holder("lock") is None
            assert again.holder("lock") is None

    def test_to_look_at_a_lock_does_not_touch_it(self, store: Store) -> None:
        """While others look at it all the time, it can be taken, checked and given back."""
        looked, stop = [0], threading.Event()

        def look() -> None:
            opened = open_store(store.spec())
            while not stop.is_set():
                opened.holder("lock")
                opened.epoch("lock")
                looked[0] += 1

        thread = threading.Thread(target=look)
        thread.start()
        try:
            for taking in range(1, 6):
                with store.lock("lock") as lock:
                    lock.check()
                    assert store.epoch("lock") == taking
        finally:
            stop.set()
            thread.join()
        assert looked[0] > 0

    def test_no_epoch_is_given_twice(self, store: Store) -> None:
        """Whatever threads do that want the lock at the same moment."""
        got: list[int] = []
        together = threading.Barrier(4)

        def take() -> None:
            opened = open_store(store.spec())
            for _ in range(3):
                together.wait(60)
                try:
                    with opened.lock("lock") as lock:
                        got.append(lock.epoch)
                except RunLockedError:
                    continue

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == list(range(1, len(got) + 1))
        assert len(got) >= 3
        assert store.epoch("lock") == len(got)

    def test_a_grant_tells_no_secret(self, store: Store) -> None:
        """In no text that a log could hold; what grants nothing has no variables."""
        for rights in RIGHTS:
            grant = store.grant(rights, timedelta(hours=1))
            text = repr(grant)
            for secret in (grant.address, *grant.variables.values()):
                assert not secret or secret not in text
            assert grant.address.startswith(store.address)
            assert grant.expires is None or grant.expires > datetime.now(UTC)
        assert store.grant("none").variables == {}
        assert store.grant("none").address == store.address

    def test_discarding_partial_values(self, store: Store) -> None:
        """Leaves whole ones alone, and may be done at any time."""
        store.discard_partial()
        store.write("a", b"x")
        store.discard_partial()
        assert store.read("a") == b"x"
