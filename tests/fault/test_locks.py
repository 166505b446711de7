"""Locks whose holders were suspended, cut off or killed, on every Store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import ServiceRequestError
from azure.storage.blob import BlobLeaseClient, BlobServiceClient, ContainerClient

from pyveg.core.errors import (
    KeyMissingError,
    LockLostError,
    RunLockedError,
    StoreError,
    StoreGoneError,
)
from pyveg.core.ports import EPOCH_TRUSTED, Lock, Store
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.local import LocalStore
from pyveg.storage.remote import FsspecStore
from pyveg.storage.renewed_lock import RenewedLock
from pyveg.testing.azurite import ACCOUNT, Azurite

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither SIGSTOP nor SIGKILL")

SECONDS = 1.0
"""Length of leases of fsspec Stores here."""


def _suspend(lock: Lock) -> RenewedLock:
    """Let nobody renew it any more."""
    assert isinstance(lock, RenewedLock)
    lock._stop.set()
    lock._thread.join()
    return lock


@pytest.fixture(params=["file", "memory"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Opens one more Store at the same place."""
    url = f"file://{tmp_path}" if request.param == "file" else f"memory://{uuid.uuid4().hex}"
    return lambda: FsspecStore(url, lease_seconds=SECONDS)


def test_a_lease_that_ran_out_and_went_to_another_is_lost(opened: Callable[[], Store]) -> None:
    told: list[Exception] = []
    one, other = opened(), opened()
    holding = one.lock("lock")
    lock = holding.__enter__()
    lock.on_lost(told.append)
    _suspend(lock)
    lock.check()
    time.sleep(SECONDS)
    begin = time.monotonic()
    with other.lock("lock") as taken:
        assert time.monotonic() - begin >= 2 * EPOCH_TRUSTED
        assert (lock.epoch, taken.epoch) == (1, 2)
        for _ in range(2):
            with pytest.raises(LockLostError, match=f"taken over by process {os.getpid()} on"):
                lock.check()
        (error,) = told
        assert isinstance(error, LockLostError)
        lock.on_lost(told.append)
        assert len(told) == 2, "who asks later is told at once"
        with pytest.raises(LockLostError):
            holding.__exit__(None, None, None)
        taken.check()
        holder = other.holder("lock")
        assert holder is not None
        assert (holder.epoch, holder.alive) == (2, True)
    assert one.epoch("lock") == 2


def test_a_lease_that_another_had_meanwhile_is_lost(opened: Callable[[], Store]) -> None:
    """Also where that one has given it back, and the lock is free."""
    one, other = opened(), opened()

    def lose() -> None:
        with one.lock("lock") as lock:
            _suspend(lock)
            time.sleep(SECONDS)
            with other.lock("lock"):
                pass

    with pytest.raises(LockLostError, match="taken over by"):
        lose()
    assert one.epoch("lock") == 2
    assert one.holder("lock") is None


def test_a_lease_that_ran_out_and_went_to_nobody_is_kept(opened: Callable[[], Store]) -> None:
    """With the same epoch; from then on nobody else gets it."""
    one, other = opened(), opened()
    told: list[Exception] = []
    with one.lock("lock") as lock:
        lock.on_lost(told.append)
        _suspend(lock)
        time.sleep(SECONDS)
        holder = other.holder("lock")
        assert holder is not None
        assert holder.alive is False
        lock.check()
        assert one.epoch("lock") == lock.epoch == 1
        with pytest.raises(RunLockedError), other.lock("lock"):
            pass
    assert told == []
    assert one.holder("lock") is None


def test_an_error_goes_before_the_loss_of_the_lock(opened: Callable[[], Store]) -> None:
    one, other = opened(), opened()

    def lose() -> None:
        with one.lock("lock") as lock:
            _suspend(lock)
            time.sleep(SECONDS)
            with other.lock("lock"):
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lose()


def test_who_renews_finds_out_by_itself(opened: Callable[[], Store]) -> None:
    """Within a third of a lease; here somebody else's clock was ahead."""
    told: list[tuple[Exception, float]] = []
    store, begin = opened(), 0.0

    def lose() -> None:
        with store.lock("lock") as lock:
            lock.on_lost(lambda error: told.append((error, time.monotonic())))
            store._objects.write(  # type: ignore[attr-defined]
                ".locks/lock",
                b'{"host": "far", "pid": 7, "since": "then", "epoch": 9, "token": "x"}',
            )
            nonlocal begin
            begin = time.monotonic()
            time.sleep(SECONDS)

    with pytest.raises(LockLostError, match="taken over by process 7 on host far"):
        lose()
    ((error, moment),) = told
    assert isinstance(error, LockLostError)
    assert moment - begin < SECONDS / 2
    assert store.epoch("lock") == 9


def test_a_connection_may_be_lost_for_a_while(
    opened: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the lease has run out; after that nobody can be sure."""
    store = opened()
    told: list[Exception] = []

    def hold(seconds: float) -> None:
        with store.lock("lock") as lock:
            lock.on_lost(told.append)
            assert lock.overdue == 0.0
            with monkeypatch.context() as patch:
                patch.setattr(store._objects, "read", _refuse)  # type: ignore[attr-defined]
                time.sleep(seconds)
                assert seconds / 3 < lock.overdue < seconds
                lock.check()

    hold(SECONDS * 0.7)
    assert told == []
    begin = time.monotonic()
    with pytest.raises(LockLostError, match=r"could not be renewed for .* seconds.*no route"):
        hold(SECONDS * 1.1)
    assert len(told) == 1
    assert time.monotonic() - begin < 3 * SECONDS


def _refuse(*_: Any) -> bytes:
    raise StoreError("no route", "check the connection")


def test_a_run_that_was_deleted_has_no_lock_any_more(opened: Callable[[], Store]) -> None:
    store = opened()
    told: list[Exception] = []

    def delete() -> None:
        with store.lock("lock") as lock:
            lock.on_lost(told.append)
            store._objects.delete(".locks/lock")  # type: ignore[attr-defined]
            time.sleep(SECONDS)

    with pytest.raises(StoreGoneError, match="somebody deleted it"):
        delete()
    assert len(told) == 1


# Azure: the service decides.


@pytest.fixture
def container(azurite: Azurite) -> Callable[[], AzureBlobStore]:
    """Opens one more Store at the same container."""
    name = f"locks-{uuid.uuid4().hex}"
    return lambda: AzureBlobStore(azurite.url, name, Access(azurite.key), lease_seconds=15)


def _client(store: AzureBlobStore) -> ContainerClient:
    credential = AzureNamedKeyCredential(ACCOUNT, Azurite.key)
    return BlobServiceClient(store.account_url, credential).get_container_client(store.container)


def _end_lease(store: AzureBlobStore) -> None:
    """What the service does by itself when the time has come."""
    BlobLeaseClient(_client(store).get_blob_client(".locks/lock")).break_lease(0)


def _wake(lock: Lock) -> None:
    """Let a lock believe that its lease may have run out."""
    _suspend(lock)._held_until = 0.0


def test_azure_a_lease_that_went_to_another_is_lost(
    container: Callable[[], AzureBlobStore],
) -> None:
    one, other = container(), container()
    told: list[Exception] = []
    holding = one.lock("lock")
    lock = holding.__enter__()
    lock.on_lost(told.append)
    _end_lease(one)
    holder = other.holder("lock")
    assert holder is not None
    assert holder.alive is False
    with other.lock("lock") as taken:
        assert (lock.epoch, taken.epoch, one.epoch("lock")) == (1, 2, 2)
        _wake(lock)
        with pytest.raises(LockLostError, match=f"taken over by process {os.getpid()} on"):
            lock.check()
        assert len(told) == 1
        with pytest.raises(LockLostError):
            holding.__exit__(None, None, None)
        taken.check()
        with pytest.raises(RunLockedError), one.lock("lock"):
            pass
    assert one.holder("lock") is None


def test_azure_a_lease_that_is_still_ours_is_kept(container: Callable[[], AzureBlobStore]) -> None:
    one = container()
    with one.lock("lock") as lock:
        _wake(lock)
        lock.check()
        assert lock.epoch == one.epoch("lock") == 1
    assert one.holder("lock") is None


def test_azure_a_container_that_was_deleted_is_gone(
    container: Callable[[], AzureBlobStore],
) -> None:
    """For the lock and for every other use; it is not made again."""
    store = container()
    told: list[Exception] = []
    lost = threading.Event()
    store.write("a", b"x")

    def use() -> None:
        with store.lock("lock") as lock:
            lock.on_lost(told.append)
            lock.on_lost(lambda _: lost.set())
            _client(store).delete_container()
            assert lost.wait(15 / 3 + 2), "one renewal"
            with pytest.raises(StoreGoneError, match="is gone: somebody deleted it"):
                lock.check()

    with pytest.raises(StoreGoneError, match="is gone: somebody deleted it"):
        use()
    assert len(told) == 1
    acts: list[Callable[[], object]] = [
        lambda: store.write("a", b"y"),
        lambda: store.read("a"),
        lambda: store.size("a"),
        lambda: store.delete("a"),
        store.list,
        store.inventory,
        lambda: store.epoch("lock"),
        lambda: store.holder("lock"),
        lambda: store.open_read("a").__enter__(),
        lambda: store.lock("lock").__enter__(),
    ]
    for act in acts:
        with pytest.raises(StoreGoneError, match=f"azure://{store.container}, is gone"):
            act()
    assert not store.exists()


def test_azure_a_lock_that_was_deleted_is_gone_with_its_run(
    container: Callable[[], AzureBlobStore],
) -> None:
    """As where somebody has emptied the container: there is nobody whose work could be undone."""
    store = container()

    def use() -> None:
        with store.lock("lock") as lock:
            held: Any = lock
            _client(store).delete_blob(".locks/lock", lease=held._lease)
            _wake(lock)
            lock.check()

    with pytest.raises(StoreGoneError, match="its lock is not there any more"):
        use()


def test_azure_a_lease_that_somebody_broke_was_taken_by_nobody(
    container: Callable[[], AzureBlobStore],
) -> None:
    store = container()

    def use() -> None:
        with store.lock("lock") as lock:
            _end_lease(store)
            _wake(lock)
            lock.check()

    with pytest.raises(LockLostError, match="somebody has broken the lease"):
        use()


def test_azure_a_container_that_never_was_is_empty(
    container: Callable[[], AzureBlobStore],
) -> None:
    store = container()
    assert list(store.list()) == []
    assert (store.size("a"), store.holder("lock"), store.epoch("lock")) == (None, None, 0)
    with pytest.raises(KeyMissingError):
        store.read("a")
    assert not store.exists()
    store.write("a", b"x")
    assert store.read("a") == b"x"


def test_azure_a_key_that_was_replaced_lets_nobody_in(
    container: Callable[[], AzureBlobStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = container()

    def lose() -> None:
        with store.lock("lock") as lock:
            monkeypatch.setattr(store._client.credential, "account_key", "b3RoZXI=")
            _wake(lock)
            lock.check()

    with pytest.raises(StoreGoneError, match="lets this process in no more"):
        lose()


def test_azure_a_lost_connection_passes(
    container: Callable[[], AzureBlobStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise ServiceRequestError("no route")

    with container().lock("lock") as lock:
        held: Any = lock
        monkeypatch.setattr(held._lease, "renew", refuse)
        held._try()
        lock.check()
        monkeypatch.undo()
        held._try()
        lock.check()


HOLDER = """
import sys
from pyveg.core.errors import RunLockedError
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.local import LocalStore
from pyveg.storage.remote import FsspecStore
kind, *rest = sys.argv[1:]
store = {
    "local": lambda: LocalStore(rest[0]),
    "fsspec": lambda: FsspecStore(rest[0], lease_seconds=float(rest[1])),
    "azure": lambda: AzureBlobStore(rest[0], rest[1], Access(rest[2]), lease_seconds=15),
}[kind]()
with store.lock("lock") as lock:
    # In one write: print writes the end of its line apart, and the other thread speaks between.
    lock.on_lost(lambda error: print("told\\n", end="", flush=True))
    print("held", lock.epoch, flush=True)
    for line in sys.stdin:
        try:
            lock.check()
        except RunLockedError as error:
            print(f"lost {error}\\n", end="", flush=True)
        else:
            print("kept", lock.epoch, flush=True)
"""


class Process:
    """A process that holds a lock, and looks at it when it is asked to."""

    def __init__(self, *where: str) -> None:
        command = [sys.executable, "-c", HOLDER, *where]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        assert self.says() == "held 1"

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.says()

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@posix
def test_a_folder_tells_of_a_holder_that_was_killed_at_once(tmp_path: Path) -> None:
    """Also while nobody has waited for that process yet."""
    store = LocalStore(tmp_path)
    process = Process("local", str(tmp_path))
    holder = store.holder("lock")
    assert holder is not None
    assert (holder.pid, holder.epoch, holder.alive) == (process.process.pid, 1, True)
    process.send(signal.SIGKILL)
    end = time.monotonic() + 5
    while store.holder("lock").alive and time.monotonic() < end:  # type: ignore[union-attr]
        time.sleep(0.01)
    died = store.holder("lock")
    assert died is not None
    assert died.alive is False
    process.ended()
    begin = time.monotonic()
    with store.lock("lock") as lock:
        assert lock.epoch == 2
        assert time.monotonic() - begin >= 2 * EPOCH_TRUSTED
    assert store.holder("lock") is None


@posix
def test_processes_that_wake_up_know_whose_the_lock_is(tmp_path: Path, azurite: Azurite) -> None:
    """Folders of fsspec and containers; taken over or not. The service decides after 15 s."""
    names = [f"wake-{uuid.uuid4().hex}" for _ in range(2)]
    urls = [f"file://{tmp_path / name}" for name in ("taken", "kept")]
    taken, kept = (Process("fsspec", url, "2") for url in urls)
    taken_azure, kept_azure = (Process("azure", azurite.url, name, azurite.key) for name in names)
    everyone = (taken, kept, taken_azure, kept_azure)
    for process in everyone:
        assert process.ask() == "kept 1"
        process.send(signal.SIGSTOP)
    time.sleep(16)
    folder = FsspecStore(urls[0], lease_seconds=60)
    container = AzureBlobStore(azurite.url, names[0], Access(azurite.key))
    with folder.lock("lock") as one, container.lock("lock") as other:
        assert one.epoch == other.epoch == 2
        for process in everyone:
            process.send(signal.SIGCONT)
        for process in (kept, kept_azure):
            assert process.ask() == "kept 1"
        for process in (taken, taken_azure):
            said = {process.ask(), process.says()}
            assert "told" in said
            assert any(f"taken over by process {os.getpid()} on" in text for text in said)
        for process in (taken, taken_azure):
            code, error = process.ended()
            assert code == 1
            assert "LockLostError" in error
        one.check()
        other.check()
    for process in (kept, kept_azure):
        assert process.ended() == (0, "")
    assert folder.epoch("lock") == container.epoch("lock") == 2
    assert folder.holder("lock") is None
