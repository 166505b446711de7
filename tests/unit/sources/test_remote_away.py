"""Inputs at a service that is away: told of the service, and not of each file."""

from __future__ import annotations

import socket

import pytest

from pyveg.core.errors import ServiceAwayError, ServiceError
from pyveg.sources import remote_files


@pytest.mark.parametrize(
    ("url", "error", "told"),
    [
        (
            "https://a.org/in/{}.csv",
            OSError("Cannot connect to host a.org:443 ssl:default [Connect call failed]"),
            "https://a.org cannot be reached: it refuses connections",
        ),
        (
            "s3://bucket/in/{}.csv",
            OSError('Could not connect to the endpoint URL: "https://bucket.s3.amazonaws.com/in"'),
            "s3://bucket cannot be reached: it refuses connections",
        ),
        (
            "https://a.org/in/{}.csv",
            socket.gaierror(-2, "Name or service not known"),
            "https://a.org cannot be reached: its name is not known",
        ),
    ],
)
def test_all_files_say_the_same(url: str, error: Exception, told: str) -> None:
    """In the words of aiohttp, botocore and the system."""
    found = set()
    for name in ("a", "b"):
        with (
            pytest.raises(ServiceAwayError) as caught,
            remote_files._explained(url.format(name)),
        ):
            raise error
        found.add(caught.value.wrong)
    assert found == {told}


def test_other_errors_are_of_one_file() -> None:
    with (
        pytest.raises(
            ServiceError, match=r"https://a\.org/b: PermissionError: Forbidden"
        ) as caught,
        remote_files._explained("https://a.org/b"),
    ):
        raise PermissionError("Forbidden")
    assert not caught.value.shared
