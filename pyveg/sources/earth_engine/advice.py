"""Errors of Earth Engine: what each means, what to do about it, and whether it passes by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pyveg.core import answers
from pyveg.core.answers import Answer, Lost, Reply
from pyveg.core.errors import ServiceAwayError, ServiceError

STAC_INSTEAD = 'a collection with "source": "stac" needs no account'


@dataclass(frozen=True)
class Advice:
    """What an error means and what to do about it."""

    pattern: str
    """In the service's message, whatever its case."""
    cure: str
    """What to do about it."""
    meaning: str = ""
    """What is wrong, where the service's message does not say it plainly."""
    passes: bool = False
    """Whether waiting helps."""
    empty: bool = False
    """Whether there simply is no image."""
    shared: bool = False
    """Whether it concerns all requests of this user, whatever they ask for."""


TABLE = (
    Advice(
        r"no project found|no project was (found|given)",
        'set "project" for the collection or EE_PROJECT; only a service account may leave it out, '
        f"and {STAC_INSTEAD}",
        shared=True,
    ),
    Advice(
        r"caller does not have required permission|permission.*denied|not registered",
        "register the project at https://code.earthengine.google.com/register or have the role "
        "granted",
        "this account lacks the Earth Engine role on the project",
        shared=True,
    ),
    Advice(
        r"has not been used in project|api.* is disabled",
        "enable the Earth Engine API for the project in the Google Cloud console",
        shared=True,
    ),
    Advice(
        r"must be less than or equal to (33554432|50331648)|request size",
        "lower max_request_bytes, or take fewer bands",
        "the request is too big",
    ),
    Advice(
        r"pixel grid dimensions",
        "make region_size smaller or scale coarser",
        "there are too many pixels along a side",
    ),
    Advice(
        r"user memory limit exceeded",
        "shorten time_per_point, lower max_request_bytes (smaller tiles), or lower "
        "cloudy_pix_frac (fewer scenes)",
        "the composite is too heavy for the service",
    ),
    Advice(
        r"computation timed out|deadline exceeded",
        "shorten time_per_point or lower max_request_bytes (smaller tiles)",
        "the composite takes the service too long",
    ),
    Advice(
        r"too many concurrent aggregations",
        "lower max_requests and try again later",
        passes=True,
    ),
    Advice(
        r"restricted mode|compute quota|monthly (quota|limit|budget|compute)",
        f"go on from the cache, wait for the next month, or switch ({STAC_INSTEAD})",
        "the compute units of this month are spent",
        shared=True,
    ),
    Advice(
        r"quota exceeded|rate ?limit|too many requests|resource_exhausted",
        "lower max_requests; other jobs of the project share the quota",
        "the quota is used up for now",
        passes=True,
        shared=True,
    ),
    Advice(
        r"more than 5000 elements|collection query aborted",
        "shorten time_per_point",
        "one period has too many scenes",
    ),
    Advice(
        r"did not match any bands|has no bands|no band named",
        "allow more cloud (cloudy_pix_frac), or lengthen time_per_point",
        "no scene was left after filtering",
        empty=True,
    ),
    Advice(
        r"imagecollection asset .* not found|asset .* does not exist",
        "take the record of pyveg.configs.collections, or have access to the collection granted",
        "the collection is not there any more, or not open to this account",
    ),
    Advice(
        r"iat and exp|reasonable timeframe|token used too (early|late)",
        answers.CLOCK_CURE,
        "this machine's clock is wrong",
        shared=True,
    ),
    Advice(
        r"invalid_grant|refresherror|token has been expired|credentials|authenticat|authorize",
        "sign in again with `earthengine authenticate`; for jobs without a person use a service "
        "account (credentials_file)",
        shared=True,
    ),
)
"""Looked through in order; the first that fits counts."""

BUSY = Advice("", "try again later, and lower max_requests", "the service is busy", passes=True)
REFUSED = Advice(
    "", "see the service's message; what was fetched is kept", "access is refused", shared=True
)
UNKNOWN = Advice("", "see the service's message; what was fetched is kept")


@dataclass(frozen=True)
class Failure:
    """One failed request, understood."""

    message: str
    """What the service said."""
    advice: Advice
    passes: bool
    status: int | None = None
    """Of HTTP, where there was an answer."""
    wait: float | None = None
    """Seconds that the service asked to wait."""

    @property
    def not_authentic(self) -> bool:
        """Whether the sender was not believed, which a wrong clock may be the reason of."""
        return self.status in answers.NOT_AUTHENTIC or "invalid_grant" in self.message

    def by_clock(self, clock: str) -> Failure:
        """The same, when the cause is known: this machine's clock."""
        known = Advice("", answers.CLOCK_CURE, clock, shared=True)
        return replace(self, advice=known, passes=False)

    def error(self, tried: str = "") -> ServiceError:
        """To be raised; `tried` says how long it was tried."""
        kind = ServiceAwayError if self.advice.shared else ServiceError
        return kind(f"{self.wrong} ({tried})" if tried else self.wrong, self.cure)

    @property
    def wrong(self) -> str:
        """What is wrong, in one line, with the service's own words."""
        said = answers.without_ids(self.message)
        meaning = f"{self.advice.meaning}: " if self.advice.meaning else ""
        status = "" if self.status is None else f" (HTTP {self.status})"
        return f"Earth Engine: {meaning}{said}{status}"

    @property
    def cure(self) -> str:
        """What to do about it."""
        return self.advice.cure

    def __str__(self) -> str:
        return f"{self.wrong}; {self.cure}"


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
    busy = status is not None and answers.classified(Reply(status)) is Answer.PASSING
    if known is None:
        refused = REFUSED if status in answers.NOT_AUTHENTIC else UNKNOWN
        known = BUSY if busy else refused
    # A message that is known decides over most statuses: what timed out would only do so again.
    # That the units of a month are spent decides over all.
    passes = known.passes or (status in {429, 503} and not known.shared)
    return Failure(message, known, passes, status, wait)


def unreachable(error: BaseException) -> Failure:
    """There was no answer."""
    why = answers.lost(error)
    if why.shared:
        meaning, said = "the service cannot be reached", str(why)
    else:
        # The kind of error tells more than that the connection broke off.
        meaning = "a request was lost"
        said = f"{type(error).__name__}: {error}" if why is Lost.BROKEN else str(why)
    cure = f"{why.cure}, and finish the run with --from_cache; what was fetched is kept"
    known = Advice("", cure, meaning, passes=True, shared=why.shared)
    return Failure(said, known, passes=True)
