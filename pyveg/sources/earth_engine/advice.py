"""Errors of Earth Engine, in one sentence of advice each, and which of them pass by themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass

HTTP_BUSY = frozenset({408, 429, 500, 502, 503, 504})
"""Answers that another try may mend."""

STAC_INSTEAD = 'a collection with "source": "stac" needs no account'


@dataclass(frozen=True)
class Advice:
    """What an error means and what to do about it."""

    pattern: str
    """In the service's message, whatever its case."""
    sentence: str
    passes: bool = False
    """Whether waiting helps."""
    empty: bool = False
    """Whether there simply is no image."""


TABLE = (
    Advice(
        r"no project found|no project was (found|given)",
        'set "project" for the collection or EE_PROJECT; only a service account may leave it out, '
        f"and {STAC_INSTEAD}",
    ),
    Advice(
        r"caller does not have required permission|permission.*denied|not registered",
        "this account lacks the Earth Engine role on the project: register the project at "
        "https://code.earthengine.google.com/register or have the role granted",
    ),
    Advice(
        r"has not been used in project|api.* is disabled",
        "enable the Earth Engine API for the project in the Google Cloud console",
    ),
    Advice(
        r"must be less than or equal to (33554432|50331648)|request size",
        "the request is too big: lower max_request_bytes, or take fewer bands",
    ),
    Advice(
        r"pixel grid dimensions",
        "there are too many pixels along a side: make region_size smaller or scale coarser",
    ),
    Advice(
        r"user memory limit exceeded",
        "the composite is too heavy for the service: shorten time_per_point, lower "
        "max_request_bytes (smaller tiles), or lower cloudy_pix_frac (fewer scenes)",
    ),
    Advice(
        r"computation timed out|deadline exceeded",
        "the composite takes the service too long: shorten time_per_point or lower "
        "max_request_bytes (smaller tiles)",
    ),
    Advice(
        r"too many concurrent aggregations",
        "lower max_requests and try again later",
        passes=True,
    ),
    Advice(
        r"restricted mode|compute quota|monthly (quota|limit|budget|compute)",
        "the compute units of this month are spent: go on from the cache, wait for the next month, "
        f"or switch ({STAC_INSTEAD})",
    ),
    Advice(
        r"quota exceeded|rate ?limit|too many requests|resource_exhausted",
        "the quota is used up for now: lower max_requests; other jobs of the project share it",
        passes=True,
    ),
    Advice(
        r"more than 5000 elements|collection query aborted",
        "one period has too many scenes: shorten time_per_point",
    ),
    Advice(
        r"did not match any bands|has no bands|no band named",
        "no scene was left after filtering",
        empty=True,
    ),
    Advice(
        r"imagecollection asset .* not found|asset .* does not exist",
        "the collection is not there any more, or not open to this account",
    ),
    Advice(
        r"invalid_grant|refresherror|token has been expired|credentials|authenticat|authorize",
        "sign in again with `earthengine authenticate`; for jobs without a person use a service "
        "account (credentials_file)",
    ),
)
"""Looked through in order; the first that fits counts."""

BUSY = "the service is busy: try again later, and lower max_requests"
NETWORK = (
    "the service cannot be reached: check the network, and finish the run with --from_cache; "
    "what was fetched is kept"
)
UNKNOWN = "see the service's message; what was fetched is kept"


@dataclass(frozen=True)
class Failure:
    """One failed request, understood."""

    message: str
    """What the service said."""
    advice: str
    passes: bool
    empty: bool = False
    status: int | None = None
    """Of HTTP, where there was an answer."""
    wait: float | None = None
    """Seconds that the service asked to wait."""

    def __str__(self) -> str:
        status = "" if self.status is None else f" (HTTP {self.status})"
        return f"Earth Engine: {' '.join(self.message.split())}{status}; {self.advice}"


def understand(message: str, status: int | None = None, wait: float | None = None) -> Failure:
    """What the answer of the service means.

    Parameters
    ----------
    message : str
    status : int, optional
        Of HTTP.
    wait : float, optional
        Seconds, from ``Retry-After``.
    """
    known = next((row for row in TABLE if re.search(row.pattern, message, re.IGNORECASE)), None)
    busy = status in HTTP_BUSY
    if known is None:
        return Failure(message, BUSY if busy else UNKNOWN, busy, status=status, wait=wait)
    return Failure(
        message,
        known.sentence,
        known.passes or status in {429, 503},
        known.empty,
        status=status,
        wait=wait,
    )


def unreachable(error: BaseException) -> Failure:
    """There was no answer."""
    return Failure(f"{type(error).__name__}: {error}", NETWORK, passes=True)
