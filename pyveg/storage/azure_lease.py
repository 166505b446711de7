"""A lock on Azure: the lease of a blob, which the service ends when nobody renews it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyveg.core.clock import elapsed
from pyveg.core.errors import LockLostError, PyvegError, StoreError, StoreGoneError
from pyveg.core.ports import Holder
from pyveg.storage.azure_errors import GONE, advice, code_of
from pyveg.storage.lock_owner import LockOwner, locked, lost
from pyveg.storage.renewed_lock import RenewedLock, Taken

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

_TAKEN = {"LeaseAlreadyPresent", "LeaseIsBreakingAndCannotBeAcquired", "LeaseIdMissing"}

_MARGIN = 1.0
"""How much earlier the lease counts as run out than the service lets others in, seconds."""


def gone(url: str, why: str) -> StoreGoneError:
    """The error for a container that was there and is no more."""
    return StoreGoneError(
        f"the container of the run, {url}, is gone: {why}",
        "restore it where that is possible (soft delete), or start the run again",
    )


class BlobLease(RenewedLock):
    """The right to write, as the lease of a blob.

    A process that was killed renews nothing, and the service lets others in after `seconds`. Only
    the service's clock counts. The blob stays and says who had it last, and how often it has been
    taken; it is written under the lease only, so no epoch is given twice.

    Parameters
    ----------
    blob : BlobClient
        The blob of the lock; made if it is not there. Its container must be there.
    url : str
        Of the Store, for messages.
    seconds : int
        15 to 60, as Azure has it; renewed every third of that.
    """

    def __init__(self, blob: BlobClient, url: str, seconds: int) -> None:
        super().__init__(url, seconds, margin=_MARGIN)
        self._blob = blob
        self._lease: Any = None
        self._owner = LockOwner(seconds=seconds)

    def _take(self) -> Taken:
        """As `RenewedLock` has it; raises errors of the SDK."""
        from azure.core.exceptions import AzureError

        at = elapsed()
        self._lease = self._leased()
        try:
            before = self._write_next()
        except BaseException:
            with suppress(AzureError):
                self._lease.release()
            raise
        # Versions that wrote no epoch did not say either that they gave it back.
        by_force = before is not None and before.epoch > 0 and not before.released
        return Taken(self._owner.epoch, at, by_force)

    def _leased(self) -> Any:
        from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

        seconds = int(self._seconds)
        try:
            try:
                return self._blob.acquire_lease(seconds)
            except ResourceNotFoundError:
                self._create()
                return self._blob.acquire_lease(seconds)
        except HttpResponseError as error:
            if code_of(error) not in _TAKEN:
                raise
            raise locked(self._url, self._last_owner(), self._seconds) from None

    def _write_next(self) -> LockOwner | None:
        """Raise the epoch, if the lease did not end meanwhile; who had it before."""
        from azure.core import MatchConditions

        found = self._blob.download_blob()
        before = LockOwner.from_json(found.readall().decode(errors="replace"))
        self._owner = replace(self._owner, epoch=(before.epoch if before else 0) + 1)
        self._write(
            self._owner,
            etag=found.properties.etag,
            match_condition=MatchConditions.IfNotModified,
        )
        return before

    def _create(self) -> None:
        from azure.core.exceptions import HttpResponseError

        try:
            self._blob.upload_blob(b"", overwrite=False)
        except HttpResponseError as error:  # others were faster
            if error.status_code not in (409, 412) or code_of(error).startswith("Container"):
                raise

    def _renew(self, late: bool) -> None:
        # The service renews a lease that ran out only if nobody else has had one since.
        with self._told():
            self._lease.renew()
            if late:
                self._refuse_successor()

    def _give_back(self) -> None:
        with self._told():
            self._write(replace(self._owner, released=True))
            self._lease.release()

    def _write(self, owner: LockOwner, **conditions: Any) -> None:
        data = owner.to_json().encode()
        self._blob.upload_blob(data, overwrite=True, lease=self._lease, **conditions)

    def _refuse_successor(self) -> None:
        owner = LockOwner.from_json(self._blob.download_blob().readall().decode(errors="replace"))
        if owner is None or owner.token != self._owner.token:
            raise lost(self._url, owner)

    def _last_owner(self) -> LockOwner | None:
        from azure.core.exceptions import AzureError

        with suppress(AzureError):
            text = self._blob.download_blob().readall()
            return LockOwner.from_json(text.decode(errors="replace"))
        return None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the SDK raises into what `RenewedLock` knows."""
        from azure.core.exceptions import AzureError

        try:
            yield
        except AzureError as error:
            raise self._meaning(error) from None

    def _meaning(self, error: Exception) -> PyvegError:
        code, status = code_of(error), getattr(error, "status_code", None)
        wrong, cure = advice(error)
        if code in GONE:
            return gone(self._url, GONE[code])
        if status in (401, 403):
            return StoreGoneError(f"{self._url} lets this process in no more: {wrong}", cure)
        if status == 404:  # and so nobody has taken over: there is no run to take
            return StoreGoneError(
                f"the run in {self._url} is gone: its lock is not there any more",
                "look who has removed or emptied it, and start a new run",
            )
        if status in (409, 412):  # another one has it, or it was broken
            owner = self._last_owner()
            if owner is None or owner.token != self._owner.token:
                return lost(self._url, owner)
            return LockLostError(
                f"somebody has broken the lease of the run in {self._url}, so that another process "
                "may write to it now",
                "look whether one does, then run --from_cache, which finds what is still in hand",
            )
        return StoreError(f"{self._url}: {wrong}", cure)


def holder_of(blob: BlobClient) -> Holder | None:
    """Who holds the lease of a blob, or died while it did; raises errors of the SDK."""
    found = blob.download_blob()
    owner = LockOwner.from_json(found.readall().decode(errors="replace"))
    leased = found.properties.lease.state in ("leased", "breaking")
    # Versions that wrote no epoch did not say either that they gave it back.
    if owner is None or owner.released or not (leased or owner.epoch):
        return None
    return owner.holder(leased, datetime.now(UTC) if leased else None)


def epoch_of(blob: BlobClient) -> int:
    """How often the lease of a blob has been taken; raises errors of the SDK."""
    owner = LockOwner.from_json(blob.download_blob().readall().decode(errors="replace"))
    return owner.epoch if owner else 0
