"""The settings of a Source that asks a service over HTTP; they do not change results."""

from __future__ import annotations

from dataclasses import dataclass

from pyveg.core.params import setting


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """How long to wait, how often to ask, and where answers are stored."""

    cache: str = setting(
        "",
        doc='folder to store answers in; "none" to store none, empty for the usual folder',
        results=False,
    )
    request_timeout: float = setting(
        60.0, doc="seconds until a request counts as lost", low=0.1, results=False
    )
    retries: int = setting(
        5, doc="how often a request is tried again after 429 or 5xx", low=0, high=20, results=False
    )
    retry_wait: float = setting(
        1.0, doc="seconds before the first repetition; doubles each time", low=0, results=False
    )
