"""Addresses with shared access signatures (SAS): checked, and divided into address and secret."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qs, urlsplit

from pyveg.service.containers import parts_of


class NotUsableError(Exception):
    """An address that cannot be used; its text never has the signature."""


def checked_container(url: str) -> None:
    """Refuse an address that is none of a container, or whose signature may not list and read.

    Raises
    ------
    NotUsableError

    Examples
    --------
    >>> checked_container("https://a.blob.core.windows.net/photos?sr=c&sp=rl&sig=x")
    """
    parts = _parts(url, "input_container_sas")
    query = parse_qs(parts.query)
    kinds = "".join(query.get("sr", ()))
    if not {"c", "d"} & set(kinds):
        raise NotUsableError("input_container_sas is no SAS of a container")
    if "si" in query:  # what it may is said by a policy that is kept with the container
        return
    rights = "".join(query.get("sp", ()))
    if not {"r", "l"} <= set(rights):
        raise NotUsableError("input_container_sas does not allow both reading (r) and listing (l)")


def checked_list(url: str) -> None:
    """Refuse an address that no list can be at.

    Raises
    ------
    NotUsableError
    """
    _parts(url, "images_requested_json_sas")


def divided(url: str, *, container: bool = False) -> tuple[str, str]:
    """An address without its signature, and what goes into `pyveg.service.access`.

    Parameters
    ----------
    url : str
    container : bool
        Whether the signature goes for all of a container.

    Examples
    --------
    >>> divided("https://a.example/lists/1.json?sp=r&sig=x")
    ('https://a.example/lists/1.json', 'https://a.example/lists/1.json?sp=r&sig=x')
    >>> divided("https://a.example/1.json")
    ('https://a.example/1.json', '')
    """
    plain, _, query = url.partition("#")[0].partition("?")
    query = query.replace(" ", "%20")
    plain = plain.replace(" ", "%20")
    top = parts_of(plain)[0] if container else plain
    return plain, f"{top}?{query}" if query else ""


def _parts(url: str, name: str) -> SplitResult:
    wrong = NotUsableError(f"{name} is no address of http or https")
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username or parts.password
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not host or user or not url.isprintable():
        raise wrong
    return parts
