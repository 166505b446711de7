"""What another process gets so that it can open a container."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qs

from pyveg.azure_config import SAS_VARIABLE
from pyveg.core.ports import Grant, Rights
from pyveg.storage.azure_access import PERMISSIONS

LETTERS: Mapping[Rights, str] = {"all": PERMISSIONS, "read": "r", "add": "cw", "none": ""}
"""Rights as Azure has them: read, add, create, write, delete, list."""


def grant_of(address: str, sas: str) -> Grant:
    """The grant that a SAS token is.

    Parameters
    ----------
    address : str
        Of the container.
    sas : str
        Without "?".
    """
    return Grant({SAS_VARIABLE: sas}, f"{address}?{sas}", expiry_of(sas))


def expiry_of(sas: str) -> datetime | None:
    """When a SAS token ends, aware; None where a policy of the container says so instead.

    Examples
    --------
    >>> print(expiry_of("sp=r&se=2026-07-05T14%3A56%3A45Z&sig=x"))
    2026-07-05 14:56:45+00:00
    """
    (text,) = parse_qs(sas).get("se") or [""]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
