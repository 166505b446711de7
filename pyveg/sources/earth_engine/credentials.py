"""Which project and which sign-in: looked for in a fixed order, and never shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyveg.core.errors import ConfigError, ServiceAwayError
from pyveg.sources.earth_engine.advice import STAC_INSTEAD

PROJECT = "EE_PROJECT"
KEY_FILE = "EE_SERVICE_ACCOUNT_FILE"
TOKEN = "EE_TOKEN"
"""Variables of the environment: the project, the path of a service account's key, and an OAuth
access token."""
BATCH_NODE = "AZ_BATCH_NODE_ID"
"""Is set on the nodes of Azure Batch, where only what the user chose to send is used."""
SCOPES = (
    "https://www.googleapis.com/auth/earthengine",
    "https://www.googleapis.com/auth/cloud-platform",
)


@dataclass(frozen=True)
class SignIn:
    """A way to sign in."""

    kind: str
    """What it is, in words; holds no secret."""
    project: str | None
    open: Callable[[], Any] = field(repr=False)
    """Makes the credentials."""


def find(
    project: str,
    key_file: str,
    environ: Mapping[str, str] | None = None,
) -> SignIn:
    """Look for a sign-in.

    In order: the service account of `key_file` or ``EE_SERVICE_ACCOUNT_FILE``; the token in
    ``EE_TOKEN``; what the service's own client finds, which is what ``earthengine authenticate``
    has stored, and then Google's application default credentials. On a node of Azure Batch only
    the first two. The project is `project`, ``EE_PROJECT``, or the one that the credentials name.

    Parameters
    ----------
    project, key_file : str
        As the config has them; may be empty.
    environ : mapping, optional
        Instead of the environment.

    Raises
    ------
    ServiceAwayError
        If there is none.
    ConfigError
        If the key file cannot be used.
    """
    env = os.environ if environ is None else environ
    wanted = project or env.get(PROJECT) or None
    path = key_file or env.get(KEY_FILE, "")
    if path:
        return _service_account(Path(path).expanduser(), wanted)
    if env.get(TOKEN):
        return _token(env[TOKEN], wanted)
    # Whatever else the client would find on a node, the user has not chosen it.
    if env.get(BATCH_NODE):
        raise ServiceAwayError(
            "Earth Engine: no sign-in was sent to this batch node",
            f"give it {KEY_FILE} or {TOKEN}, or download on your own machine",
        )
    return _of_the_user(wanted)


def _service_account(path: Path, project: str | None) -> SignIn:
    from google.oauth2 import service_account

    try:
        made = service_account.Credentials.from_service_account_file(str(path), scopes=SCOPES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no service account's key"
        raise ConfigError(
            f"Earth Engine: the key file {path} cannot be used: {reason}",
            "make a JSON key of a service account in the Google Cloud console",
        ) from None  # the cause may quote the file
    return SignIn("service account", project or made.project_id, lambda: made)


def _token(token: str, project: str | None) -> SignIn:
    from google.oauth2.credentials import Credentials

    return SignIn(f"token in {TOKEN}", project, lambda: Credentials(token=token))


def _of_the_user(project: str | None) -> SignIn:
    import ee

    try:
        made = ee.data.get_persistent_credentials()
    except ee.EEException:
        raise ServiceAwayError(
            "Earth Engine: no sign-in was found",
            "run `earthengine authenticate`, or set credentials_file to a service account's key; "
            f"{STAC_INSTEAD}",
        ) from None
    return SignIn("the user's own", project or _project_of(made), lambda: made)


def _project_of(credentials: Any) -> str | None:
    project = getattr(credentials, "quota_project_id", None)
    return str(project) if project else None
