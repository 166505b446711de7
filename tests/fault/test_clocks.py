"""A clock that is two hours off, against the emulators and Google's own client."""

from __future__ import annotations

import datetime as datetimes
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import AzureError

from azure_batch_emulator import Emulator, Settings
from pyveg.core import answers
from pyveg.core.errors import StoreError, StoreGoneError
from pyveg.runners.azure_batch import advice
from pyveg.storage.azure_access import Access, container_sas
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.testing.azurite import Azurite

AHEAD = timedelta(hours=2)
TOLD = "this machine's clock is 2 h ahead of the service's"


class _Fast(datetime):
    """The clock of a machine that is ahead."""

    @classmethod
    def utcnow(cls) -> Any:
        return datetime.now(UTC).replace(tzinfo=None) + AHEAD


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's clock, as pyveg and the SDK of Batch see it."""
    monkeypatch.setattr(answers, "now", lambda: datetime.now(UTC) + AHEAD)
    monkeypatch.setattr("azure.batch._patch.datetime", _Fast)


def _refused(emulator: Emulator) -> AzureError:
    client = BatchClient(emulator.url, AzureNamedKeyCredential(emulator.account, emulator.key))
    with pytest.raises(AzureError) as error:
        list(client.list_jobs())
    return error.value


@pytest.mark.usefixtures("ahead")
def test_batch(tmp_path: Path) -> None:
    with Emulator(Settings(location=tmp_path)) as emulator:
        error = _refused(emulator)
    assert advice.code_of(error) == "AuthenticationFailed"
    assert advice.of_error(error) == f"{TOLD} (AuthenticationFailed); {answers.CLOCK_CURE}"
    assert advice.is_final(error)


@pytest.mark.usefixtures("ahead")
def test_a_sas_that_is_not_valid_yet(azurite: Azurite) -> None:
    name = f"hours-{uuid.uuid4().hex[:12]}"
    AzureBlobStore(azurite.url, name, Access(azurite.key)).write("a", b"1")
    fast = {"account_key": azurite.key, "now": answers.now()}
    sas = container_sas(azurite.url, name, timedelta(hours=9), **fast)
    with pytest.raises(StoreGoneError, match=TOLD) as error:
        AzureBlobStore(azurite.url, name, Access(sas=sas)).read("a")
    assert error.value.cure == answers.CLOCK_CURE


def test_a_sas_that_has_expired_is_no_matter_of_clocks(azurite: Azurite) -> None:
    name = f"hours-{uuid.uuid4().hex[:12]}"
    AzureBlobStore(azurite.url, name, Access(azurite.key)).write("a", b"1")
    long_ago = datetime.now(UTC) - timedelta(days=1)
    sas = container_sas(
        azurite.url, name, timedelta(hours=9), account_key=azurite.key, now=long_ago
    )
    with pytest.raises(StoreError) as error:
        AzureBlobStore(azurite.url, name, Access(sas=sas)).read("a")
    assert "clock" not in str(error.value)


def test_the_names_that_are_patched_are_those_of_the_sdk() -> None:
    from azure.batch import _patch

    assert _patch.datetime is datetimes.datetime
