"""Every Store passes the same suite."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from pyveg.core.ports import Store
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.local import LocalStore
from pyveg.storage.memory import MemoryStore
from pyveg.storage.remote import FsspecStore
from pyveg.testing.azurite import Azurite
from pyveg.testing.store_contract import StoreContract


class TestMemory(StoreContract):
    def make_store(self, folder: Path) -> Store:
        return MemoryStore(str(folder))


class TestLocal(StoreContract):
    def make_store(self, folder: Path) -> Store:
        return LocalStore(folder)


class TestFsspecFile(StoreContract):
    def make_store(self, folder: Path) -> Store:
        return FsspecStore(f"file://{folder}")


class TestFsspecMemory(StoreContract):
    def make_store(self, folder: Path) -> Store:
        return FsspecStore(f"memory://{folder.name}-{uuid.uuid4().hex}")


@pytest.mark.usefixtures("azure_config")
class TestAzureBlob(StoreContract):
    @pytest.fixture
    def store(self, azurite: Azurite) -> Store:
        name = f"contract-{uuid.uuid4().hex}"
        return AzureBlobStore(azurite.url, name, Access(account_key=azurite.key))
