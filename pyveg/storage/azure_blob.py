"""A Store in one container of Azure Blob Storage."""

from __future__ import annotations

import difflib
import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeVar

from pyveg.azure_config import check_account_url
from pyveg.core.errors import KeyMissingError, StoreError
from pyveg.core.ports import Grant, Holder, Lock, Rights
from pyveg.storage import azure_access, azure_lease
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_errors import GONE, code_of, explained
from pyveg.storage.azure_grant import LETTERS, grant_of
from pyveg.storage.azure_lease import BlobLease, gone
from pyveg.storage.azure_names import account_of, check_container_name
from pyveg.storage.azure_streams import (
    PARALLEL,
    READ_AHEAD,
    BlobFile,
    Fetch,
    content_settings,
    digest,
)
from pyveg.storage.keys import LOCKS, RESERVED, check_key, check_prefix
from pyveg.storage.no_room import room_for_temporary_files
from pyveg.storage.renewed_lock import held

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobProperties, ContainerClient

T = TypeVar("T")

_IN_MEMORY = 16 * 2**20
"""Streams up to this length need no file on this machine, bytes."""


@dataclass(frozen=True)
class Blob:
    """What the service knows of a value."""

    key: str
    size: int
    """Bytes."""
    md5: bytes | None
    """None where whoever wrote it gave none; this Store always gives one."""
    etag: str
    """Changes with every write."""
    modified: datetime


class AzureBlobStore:
    """Blobs of one container, which is made with the first write.

    A blob appears whole or not at all. Each carries its MD5, also those that travel in parts. The
    address has no secret in it: every process brings its own `Access`. The SDK is imported when
    the Store is first used.

    Parameters
    ----------
    account_url : str
        ``https://NAME.blob.core.windows.net``.
    container : str
        Its name; `pyveg.storage.azure_names.container_name` makes one of any text.
    access : Access, optional
        Else what the environment has: a SAS in ``PYVEG_AZURE_SAS``, or Entra ID.
    lease_seconds : int
        How long the lock of a process that was killed stays, 15 to 60.
    grant_life : timedelta
        How long a grant lasts where nothing else is said.

    Raises
    ------
    ConfigError
        If the address is none.
    StoreError
        If Azure would not take the name of the container.
    """

    shared: ClassVar[bool] = True
    transfers: ClassVar[int] = 16

    def __init__(
        self,
        account_url: str,
        container: str,
        access: Access | None = None,
        *,
        lease_seconds: int = 30,
        grant_life: timedelta = timedelta(days=7),
    ) -> None:
        self.account_url = check_account_url(account_url)
        self.container = check_container_name(container)
        self.url = f"azure://{container}"
        self._access = access or Access.from_environment()
        self._lease_seconds = lease_seconds
        self._grant_life = grant_life
        self._was_there = False  # whether the container has answered this object

    def spec(self) -> dict[str, Any]:
        """What opens it again in a process that has credentials."""
        return {"type": "azure", "account_url": self.account_url, "container": self.container}

    def read(self, key: str) -> bytes:
        """Bytes of a key."""
        blob = self._blob(key)
        return self._existing(key, lambda: blob.download_blob(max_concurrency=PARALLEL).readall())

    def write(self, key: str, data: bytes) -> None:
        """Store bytes under a key."""
        blob, data = self._blob(key), bytes(data)
        settings = content_settings(key, hashlib.md5(data, usedforsecurity=False).digest())
        with self._answered(f"{self.url}/{key}"):
            self._in_container(
                lambda: blob.upload_blob(
                    data,
                    length=len(data),
                    overwrite=True,
                    content_settings=settings,
                    max_concurrency=PARALLEL,
                )
            )

    def size(self, key: str) -> int | None:
        """Length in bytes, or None."""
        blob = self._blob(key)
        try:
            found = self._existing(key, blob.get_blob_properties)
        except KeyMissingError:
            return None
        return None if _is_folder(found) else int(found.size)

    def delete(self, key: str) -> None:
        """Remove a key."""
        blob = self._blob(key)
        try:
            self._existing(key, blob.delete_blob)
        except KeyMissingError:
            return

    def list(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin with `prefix`, sorted."""
        try:
            values = self._existing(check_prefix(prefix), lambda: self._values(prefix))
        except KeyMissingError:
            return iter(())
        return iter(sorted(blob.name for blob in values))

    @contextmanager
    def open_read(self, key: str) -> Iterator[IO[bytes]]:
        """Read a value as a stream, which fetches what is read and may be moved in."""
        blob = self._blob(key)
        properties = self._existing(key, blob.get_blob_properties)
        if _is_folder(properties):
            raise KeyMissingError(key, self.url)
        # With the version, so that no stream mixes the bytes of two.
        fetch = Fetch(blob, properties.etag, f"{self.url}/{key}", self._answered)
        # Read ahead: programs read a few bytes at a time, and each request takes a round trip.
        with io.BufferedReader(BlobFile(fetch, properties.size), READ_AHEAD) as stream:
            yield stream

    @contextmanager
    def open_write(self, key: str) -> Iterator[IO[bytes]]:
        """Write a value as a stream; it is sent when the context ends without an error."""
        blob = self._blob(key)
        with tempfile.SpooledTemporaryFile(_IN_MEMORY, prefix="pyveg-") as stream:
            with room_for_temporary_files():
                yield stream
                length = stream.seek(0, io.SEEK_END)
            settings = content_settings(key, digest(stream))

            def send() -> None:  # a second time where the container had to be made
                stream.seek(0)
                blob.upload_blob(
                    stream,
                    length=length,
                    overwrite=True,
                    content_settings=settings,
                    max_concurrency=PARALLEL,
                )

            with self._answered(f"{self.url}/{key}"):
                self._in_container(send)

    @property
    def address(self) -> str:
        """Where the container is, without a right."""
        return f"{self.account_url}/{self.container}"

    def grant(self, rights: Rights = "all", life: timedelta | None = None) -> Grant:
        """A SAS of this container, signed by the key or by the login of this process.

        A process that has a SAS itself hands that on, whatever its rights and its end. A login
        asks the service for a key to sign with, which lasts 7 days at most; where it may not have
        one, "all" has no variables, as another process may log in itself.

        Raises
        ------
        StoreError
            If the login may not sign what the address needs.
        """
        letters, life = LETTERS[rights], life or self._grant_life
        if not letters:
            return Grant(address=self.address)
        sas = self.sas(life, letters)
        try:
            return grant_of(self.address, sas or self.user_delegation_sas(life, letters))
        except StoreError:
            if rights != "all":
                raise
            return Grant(address=self.address)

    @contextmanager
    def lock(self, key: str) -> Iterator[Lock]:
        """Hold the only lock of that name, by a lease of Azure that is renewed while it is held.

        Where another process took over, because this one could not renew it in time, the end of
        the context raises `LockLostError`.
        """
        lease = BlobLease(self._lock_blob(key), self.url, self._lease_seconds)
        with self._answered(f"{self.url}/{key}"):
            self._in_container(lease.acquire)
        with held(lease):
            yield lease

    def holder(self, key: str) -> Holder | None:
        """Who holds the lock of that name; dead as soon as its lease has run out."""
        blob = self._lock_blob(key)
        try:
            return self._existing(key, lambda: azure_lease.holder_of(blob))
        except KeyMissingError:
            return None

    def epoch(self, key: str) -> int:
        """How often the lock of that name has been taken; 0 for never. One read."""
        blob = self._lock_blob(key)
        try:
            return self._existing(key, lambda: azure_lease.epoch_of(blob))
        except KeyMissingError:
            return 0

    def discard_partial(self) -> None:
        """Do nothing: Azure forgets parts of a blob that was never finished."""

    def exists(self) -> bool:
        """Whether the container is there."""
        with explained(self.url):
            there = bool(self._client.exists())
        self._was_there = self._was_there or there
        return there

    def inventory(self, prefix: str = "") -> Sequence[Blob]:
        """What there is below a prefix, sorted by key, the Store's own blobs left out."""
        with self._answered(self.url):
            values = self._values(prefix)
        blobs = [
            Blob(
                found.name,
                int(found.size),
                bytes(found.content_settings.content_md5 or b"") or None,
                found.etag,
                found.last_modified,
            )
            for found in values
        ]
        return sorted(blobs, key=lambda blob: blob.key)

    def chunks(self, blob: Blob, start: int = 0) -> Iterator[bytes]:
        """Bytes of a value from `start` on, in parts.

        Raises
        ------
        StoreError
            If it is another one by now.
        """
        if start >= blob.size:
            return
        fetch = Fetch(self._blob(blob.key), blob.etag, f"{self.url}/{blob.key}", self._answered)
        for begin in range(start, blob.size, READ_AHEAD):
            yield fetch(begin, min(READ_AHEAD, blob.size - begin))

    def containers(self) -> Iterator[str]:
        """Names of all containers of the account; needs a right that a container's SAS has not."""
        with explained(self.account_url):
            for container in self._service.list_containers():
                yield container.name

    def missing(self) -> StoreError:
        """The error for a container that is not there; names the nearest ones."""
        try:
            names = list(self.containers())
        except StoreError:  # not everybody may list them
            names = []
        near = difflib.get_close_matches(self.container, names, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else "check its name and the account"
        return StoreError(
            f"there is no container {self.container} in {account_of(self.account_url)}", hint
        )

    def sas(self, lifetime: timedelta, permissions: str = azure_access.PERMISSIONS) -> str | None:
        """A new SAS of this container for other processes, which expires.

        None where there is no account key to sign it with: the SAS of this process is what others
        get then, or they log in themselves.
        """
        if self._access.sas:
            return self._access.sas.lstrip("?")
        if not self._access.account_key:
            return None
        key = self._access.account_key
        return azure_access.container_sas(
            self.account_url, self.container, lifetime, account_key=key, permissions=permissions
        )

    def user_delegation_sas(
        self, lifetime: timedelta, permissions: str = azure_access.PERMISSIONS
    ) -> str:
        """A SAS that is signed by this process's login (Entra ID); 7 days at most."""
        now = datetime.now(UTC)
        with explained(self.account_url):
            key = self._service.get_user_delegation_key(now, now + lifetime)
        return azure_access.container_sas(
            self.account_url,
            self.container,
            lifetime,
            user_delegation_key=key,
            permissions=permissions,
            now=now,
        )

    @cached_property
    def _service(self) -> Any:
        return azure_access.service_client(self.account_url, self._access)

    @cached_property
    def _client(self) -> ContainerClient:
        client: ContainerClient = self._service.get_container_client(self.container)
        return client

    def _blob(self, key: str) -> BlobClient:
        return self._client.get_blob_client(check_key(key))

    def _lock_blob(self, key: str) -> BlobClient:
        return self._client.get_blob_client(f"{LOCKS}/{check_key(key)}")

    @contextmanager
    def _answered(self, where: str) -> Iterator[None]:
        """Turn errors of the SDK into ours; a container that answered before may be gone."""
        from azure.core.exceptions import HttpResponseError

        # As it was before the question: another thread may make it before the answer is read.
        before = self._was_there
        with explained(where, self.url):
            try:
                yield
            except HttpResponseError as error:
                if before and code_of(error) in GONE:
                    raise gone(self.url, GONE[code_of(error)]) from None
                raise
            self._was_there = True

    def _existing(self, key: str, act: Callable[[], T]) -> T:
        """Do it; `KeyMissingError` where the blob, or the whole container, was never there."""
        from azure.core.exceptions import ResourceNotFoundError

        before = self._was_there
        with self._answered(f"{self.url}/{key}"):
            try:
                return act()
            except ResourceNotFoundError as error:
                no_container = code_of(error) in GONE
                if no_container and before:
                    raise
                self._was_there = self._was_there or not no_container
                raise KeyMissingError(key, self.url) from None

    def _in_container(self, act: Callable[[], T]) -> T:
        """Do it, and once more with the container made if it was not there."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        before = self._was_there
        try:
            return act()
        except ResourceNotFoundError as error:
            # One that was there was deleted by somebody, who meant the run.
            if code_of(error) != "ContainerNotFound" or before:
                raise
        try:
            self._client.create_container(metadata={"made_by": "pyveg"})
        except ResourceExistsError as error:
            if code_of(error) != "ContainerAlreadyExists":  # another process was faster
                raise
        return act()

    def _values(self, prefix: str) -> Sequence[BlobProperties]:
        """All blobs that are values: not those of the Store itself, and no folders."""
        # Accounts with folders list them as blobs that only their metadata tell apart.
        listed = self._client.list_blobs(prefix or None, include=["metadata"])
        return [blob for blob in listed if _is_value(blob)]


def _is_value(blob: BlobProperties) -> bool:
    return not (
        _is_folder(blob)
        or (blob.name.endswith("/") and not blob.size)  # what other tools make for a folder
        or blob.name.partition("/")[0] in RESERVED
    )


def _is_folder(blob: BlobProperties) -> bool:
    """Whether a blob is a folder, as accounts with a hierarchical namespace have them."""
    marks = {name.lower(): text for name, text in (blob.metadata or {}).items()}
    return str(marks.get("hdi_isfolder")).lower() == "true"  # tools differ in its letters
