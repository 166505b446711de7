"""What the SDK of Blob Storage raises, whatever was answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.storage.blob import BlobServiceClient

from pyveg.core import answers
from pyveg.core.answers import Answer
from pyveg.core.errors import StoreError, StoreGoneError
from pyveg.storage import azure_errors
from pyveg.testing.http_answers import answering


def _raised(
    status: int, code: str = "", headers: dict[str, str] | None = None, url: str = ""
) -> AzureError:
    body = f"<Error><Code>{code}</Code><Message>No.\nRequestId:1\nTime:2</Message></Error>"
    about = {"Content-Type": "application/xml", "x-ms-error-code": code, **(headers or {})}
    with answering(status, body.encode(), about) as found:
        client = BlobServiceClient(f"{url or found}/account", "bm8=", retry_total=0)
        with pytest.raises(AzureError) as error:
            client.get_blob_client("c", "b").get_blob_properties()
    return error.value


@pytest.mark.parametrize(
    ("status", "code", "answer", "kind"),
    [
        (400, "InvalidHeaderValue", Answer.OURS, StoreError),
        (401, "InvalidAuthenticationInfo", Answer.FINAL, StoreGoneError),
        (403, "AuthenticationFailed", Answer.FINAL, StoreGoneError),
        (403, "AuthorizationPermissionMismatch", Answer.FINAL, StoreGoneError),
        (403, "AccountIsDisabled", Answer.FINAL, StoreGoneError),
        (404, "ContainerNotFound", Answer.FINAL, StoreGoneError),
        (404, "BlobNotFound", Answer.FINAL, StoreError),
        (409, "ContainerBeingDeleted", Answer.FINAL, StoreGoneError),
        (412, "ConditionNotMet", Answer.FINAL, StoreError),
        (501, "NotImplemented", Answer.FINAL, StoreError),
        (408, "", Answer.PASSING, StoreError),
        (429, "", Answer.PASSING, StoreError),
        (500, "InternalError", Answer.PASSING, StoreError),
        (500, "OperationTimedOut", Answer.PASSING, StoreError),
        (503, "ServerBusy", Answer.PASSING, StoreError),
    ],
)
def test_answers(status: int, code: str, answer: Answer, kind: type[StoreError]) -> None:
    raised = _raised(status, code)
    assert azure_errors.answer_of(raised) is answer
    with pytest.raises(StoreError) as error, azure_errors.explained("azure://c"):
        raise raised
    assert type(error.value) is kind
    assert "RequestId" not in str(error.value)


def test_lost_connections_pass_and_are_told_alike() -> None:
    raised = [_raised(0, url="http://127.0.0.1:9") for _ in range(2)]
    assert {azure_errors.answer_of(error) for error in raised} == {Answer.PASSING}
    (told,) = {azure_errors.advice(error) for error in raised}
    assert told == ("it cannot be reached: it refuses connections", "check the network")


def test_a_login_that_is_lost_is_final() -> None:
    error = ClientAuthenticationError("DefaultAzureCredential failed to retrieve a token")
    assert azure_errors.answer_of(error) is Answer.FINAL
    assert "log in (az login)" in azure_errors.advice(error)[1]


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        ((404, "BlobNotFound"), {"azure://c/a: ", "azure://c/b: "}),
        ((404, "ContainerNotFound"), {"azure://c: "}),
        ((403, "AuthenticationFailed"), {"azure://c: "}),
        ((0, "", None, "http://127.0.0.1:9"), {"azure://c: "}),
    ],
)
def test_what_concerns_the_container_is_told_alike(raised: Any, told: set[str]) -> None:
    found = set()
    for key in ("a", "b"):
        with (
            pytest.raises(StoreError) as error,
            azure_errors.explained(f"azure://c/{key}", "azure://c"),
        ):
            raise _raised(*raised)
        found.add(str(error.value))
    assert len(found) == len(told)
    assert all(text.startswith(tuple(told)) for text in found)


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AuthenticationFailed"), (401, "InvalidAuthenticationInfo")]
)
def test_a_clock_that_is_wrong_is_not_a_wrong_key(status: int, code: str) -> None:
    behind = {"Date": format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)}
    raised = _raised(status, code, behind)
    assert azure_errors.answer_of(raised) is Answer.OURS
    assert azure_errors.advice(raised) == (
        f"{code}: this machine's clock is 2 h behind the service's",
        answers.CLOCK_CURE,
    )
