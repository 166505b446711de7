"""A lock on Azure: the lease of a blob, which the service ends when nobody renews it."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pyveg.core.errors import RunLockedError
from pyveg.storage.azure_errors import code_of
from pyveg.storage.lock_owner import LockOwner, locked

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

_TAKEN = {"LeaseAlreadyPresent", "LeaseIsBreakingAndCannotBeAcquired", "LeaseIdMissing"}


class BlobLease:
    """The right to write, which a thread renews until it is given back.

    A process that was killed renews nothing, and the service lets others in after `seconds`. Only
    the service's clock counts. The blob stays and says who had it last.

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
        self._blob = blob
        self._url = url
        self._seconds = seconds
        self._lease: Any = None
        self._stop = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._renew, name="pyveg-lease", daemon=True)

    def acquire(self) -> None:
        """Take it; `RunLockedError` where someone else has it."""
        from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

        try:
            try:
                self._lease = self._blob.acquire_lease(self._seconds)
            except ResourceNotFoundError:
                self._create()
                self._lease = self._blob.acquire_lease(self._seconds)
        except HttpResponseError as error:
            if code_of(error) not in _TAKEN:
                raise
            raise self._locked() from None
        self._blob.upload_blob(LockOwner().to_json().encode(), overwrite=True, lease=self._lease)
        self._thread.start()

    def release(self) -> None:
        """Give it back."""
        from azure.core.exceptions import AzureError

        self._stop.set()
        self._thread.join()
        with suppress(AzureError):  # then it expires by itself
            self._lease.release()

    def check(self) -> None:
        """Raise `RunLockedError` if someone took over while it was held.

        That happens when this process could not renew it in time: it was suspended, or had no
        connection.
        """
        if self._lost:
            raise self._locked()

    def _create(self) -> None:
        from azure.core.exceptions import HttpResponseError

        try:
            self._blob.upload_blob(b"", overwrite=False)
        except HttpResponseError as error:  # others were faster
            if error.status_code not in (409, 412) or code_of(error).startswith("Container"):
                raise

    def _renew(self) -> None:
        from azure.core.exceptions import AzureError, HttpResponseError

        # Every third, so that two renewals may fail before the lease runs out.
        while not self._stop.wait(self._seconds / 3):
            try:
                self._lease.renew()
            except HttpResponseError as error:
                if error.status_code in (404, 409, 412):  # another has it, or it was broken
                    self._lost = True
                    return
            except AzureError:  # no connection just now
                continue

    def _locked(self) -> RunLockedError:
        from azure.core.exceptions import AzureError

        owner = None
        with suppress(AzureError):
            text = self._blob.download_blob().readall()
            owner = LockOwner.from_json(text.decode(errors="replace"))
        return locked(self._url, owner, self._seconds)
