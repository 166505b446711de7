"""A clock that is two hours off, against the emulators and Google's own client."""

from __future__ import annotations

import datetime as datetimes
import json
import uuid
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import AzureError

from azure_batch_emulator import Emulator, Settings
from pyveg.core import answers
from pyveg.core.errors import ServiceAwayError, StoreError, StoreGoneError
from pyveg.runners.azure_batch import advice
from pyveg.sources.earth_engine import session
from pyveg.sources.earth_engine.source import EarthEngineSettings, EarthEngineSource
from pyveg.sources.stac.settings import StacSettings
from pyveg.sources.stac.signing import signed
from pyveg.storage.azure_access import Access, container_sas
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.testing.azurite import Azurite
from pyveg.testing.http_answers import answering

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


def test_a_service_account_at_googles_own_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client signs by this machine's clock, and Google's token service refuses that."""
    import ee

    monkeypatch.setattr(session, "_current", None)
    monkeypatch.setattr(session, "_refused", None)
    ee.Reset()
    refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    sent = {"Date": format_datetime(datetime.now(UTC) - AHEAD, usegmt=True)}
    with answering(400, refusal, sent) as url:
        settings = EarthEngineSettings(
            project="p", credentials_file=str(_key(tmp_path, url)), max_wait=0.1, cache="none"
        )
        try:
            with pytest.raises(ServiceAwayError, match=TOLD) as error:
                EarthEngineSource(settings).check()
        finally:
            session.close()
            ee.Reset()
    assert error.value.cure == answers.CLOCK_CURE


def _key(folder: Path, token_uri: str) -> Path:
    """A service account's key that nobody else has."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "key.json"
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "p",
                "private_key": private.decode(),
                "client_email": "nobody@p.iam.gserviceaccount.com",
                "token_uri": token_uri,
            }
        )
    )
    return path


def test_who_signs_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "now", lambda: datetime.now(UTC) + AHEAD)
    with answering(403, {"detail": "no"}) as url:
        settings = StacSettings(catalogue=url, stac_collection="a", sign_url=url, retries=0)
        scene = {"assets": {"red": {"href": "https://x.blob.core.windows.net/c/red.tif"}}}
        with pytest.raises(ServiceAwayError, match=TOLD) as error:
            signed(scene, settings)
    assert error.value.cure == answers.CLOCK_CURE
