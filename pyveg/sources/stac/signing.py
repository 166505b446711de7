"""Signing links to Azure blobs, as Planetary Computer wants it. No account is needed.

A token opens one container for about an hour and is shared by all threads. The official package
`planetary-computer` 1.0.0 (2023) does the same; it has no time-outs, and its import warns under
pydantic 2. ``PC_SDK_SUBSCRIPTION_KEY``, the key that raises limits there, is heeded here too.
"""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pyveg.core.errors import ServiceError
from pyveg.sources import http
from pyveg.sources.stac.settings import StacSettings

BLOBS = ".blob.core.windows.net"
KEY = "PC_SDK_SUBSCRIPTION_KEY"
MARGIN = timedelta(minutes=5)
"""A token is renewed that long before it runs out, so that a scene can be read with it."""

_lock = threading.Lock()
_tokens: dict[str, tuple[str, datetime]] = {}


def signed(scene: dict[str, Any], settings: StacSettings, *, anew: bool = False) -> dict[str, Any]:
    """A scene whose links to blobs carry a token.

    Parameters
    ----------
    scene : dict
        STAC item as JSON.
    settings : StacSettings
    anew : bool
        Ask for new tokens, because those that there are were refused.

    Raises
    ------
    ServiceError
        If the service gives no token.
    """
    if not settings.signing:
        return scene
    assets = {}
    for name, asset in scene["assets"].items():
        assets[name] = {**asset, "href": _signed(asset["href"], settings, anew=anew)}
    return {**scene, "assets": assets}


def _signed(href: str, settings: StacSettings, *, anew: bool) -> str:
    parts = urlsplit(href)
    if not (parts.hostname or "").endswith(BLOBS) or parts.query:
        return href
    account = str(parts.hostname).removesuffix(BLOBS)
    container = parts.path.lstrip("/").partition("/")[0]
    url = f"{settings.signing.rstrip('/')}/{account}/{container}"
    return f"{href}?{_token(url, settings, anew=anew)}"


def _token(url: str, settings: StacSettings, *, anew: bool) -> str:
    now = datetime.now(UTC)
    with _lock:
        token, until = _tokens.get(url, ("", now))
        fresh = until - now < timedelta(minutes=55)  # somebody else has just renewed it
        if token and until - now > MARGIN and not (anew and fresh):
            return token
        # Under the lock: threads that need the same token wait for one request.
        _tokens[url] = _asked(url, settings)
        return _tokens[url][0]


def _asked(url: str, settings: StacSettings) -> tuple[str, datetime]:
    key = os.environ.get(KEY)
    headers = {"Ocp-Apim-Subscription-Key": key} if key else None
    what = f"the signing service of {settings.title}"
    with http.session(settings.retries, settings.retry_wait, url) as session:
        answer = http.get_json(session, url, settings.request_timeout, what=what, headers=headers)
    try:
        return str(answer["token"]), datetime.fromisoformat(answer["msft:expiry"])
    except (KeyError, TypeError, ValueError):
        raise ServiceError(f"{what} gave no token", "finish the run later") from None
