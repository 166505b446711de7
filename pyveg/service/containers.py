"""Blobs of a container at an address that a caller gave: listed by the service's plain protocol.

Not by the Azure SDK, which would connect to whatever host the address names: each request goes
through the gate of `pyveg.sources.web`, which no address of a private network passes, and gets the
job's signature there. https://learn.microsoft.com/rest/api/storageservices/list-blobs
"""

from __future__ import annotations

import ipaddress
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import IO
from urllib.parse import quote, unquote, urlencode, urlsplit

from pyveg.core.errors import DataError

_PAGE = 5000
_LONGEST = 64 * 2**20
"""Bytes of a page."""
Opened = Callable[[str], IO[bytes]]


def parts_of(url: str) -> tuple[str, str]:
    """Address of a container, and the folder in it that a longer address names.

    Examples
    --------
    >>> parts_of("https://account.blob.core.windows.net/photos/2026/may?sp=rl")
    ('https://account.blob.core.windows.net/photos', '2026/may/')
    >>> parts_of("http://127.0.0.1:10000/account/photos")
    ('http://127.0.0.1:10000/account/photos', '')
    """
    parts = urlsplit(url)
    names = [name for name in parts.path.split("/") if name]
    # Where the host is no name of an account, the account is the first part of the path.
    length = 2 if _is_bare(parts.hostname or "") else 1
    top = f"{parts.scheme}://{parts.netloc}/" + "/".join(names[:length])
    folder = "/".join(map(unquote, names[length:]))
    return top, f"{folder}/" if folder else ""


def _is_bare(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def address_of(container: str, blob: str) -> str:
    """The address of a blob.

    Examples
    --------
    >>> address_of("https://a.example/photos", "camera 1/#2.jpg")
    'https://a.example/photos/camera%201/%232.jpg'
    """
    return f"{container}/{quote(blob)}"


def blobs(container: str, prefix: str, read: Callable[[str], bytes]) -> Iterator[str]:
    """Names of all blobs whose names begin so, sorted as the service sorts them.

    Parameters
    ----------
    container : str
        Its address.
    prefix : str
    read : callable
        Gives what is at an address.

    Raises
    ------
    DataError
        If what the service answers is no list.
    """
    marker = ""
    while True:
        query = {"restype": "container", "comp": "list", "maxresults": _PAGE}
        more = {"prefix": prefix, "marker": marker}
        query |= {name: value for name, value in more.items() if value}
        try:
            page = ET.fromstring(read(f"{container}?{urlencode(query)}"))
        except ET.ParseError:
            raise DataError(
                f"{container} has not answered with a list of blobs",
                "give the address of a container, with a signature that may list it",
            ) from None
        yield from (name.text for name in page.iterfind("Blobs/Blob/Name") if name.text)
        marker = page.findtext("NextMarker") or ""
        if not marker:
            return
