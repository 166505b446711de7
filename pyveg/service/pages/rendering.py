"""Templates to HTML. All that others wrote is escaped, and shows what would not be seen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pyveg.core.texts import shown_lines
from pyveg.service.pages.looks import task_mark

_PACKAGE = "pyveg.service.pages"
_UNITS = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters |= {
        "moment": moment,
        "digest": digest,
        "in_bytes": in_bytes,
        "part": lambda text: quote(str(text), safe=""),
        "query": lambda values: urlencode({k: v for k, v in values.items() if v}),
        "key": lambda text: quote(str(text), safe="/"),
    }
    environment.globals |= {"task_mark": task_mark, "asset": asset}
    return environment


def render(name: str, values: Mapping[str, Any]) -> Markup:
    """One template as HTML.

    Parameters
    ----------
    name : str
        A file in ``templates/``, without ``.html.j2``.
    values : mapping
    """
    return Markup(_environment().get_template(f"{name}.html.j2").render(values))


def static_file(name: str) -> bytes:
    """A file that pages load."""
    return files(_PACKAGE).joinpath("static").joinpath(name).read_bytes()


@cache
def asset(name: str) -> str:
    """The name of such a file with a digest, so that browsers may keep it for ever."""
    return f"page/static/{name}?v={hashlib.sha256(static_file(name)).hexdigest()[:12]}"


def moment(at: datetime | None) -> Markup:
    """A time as machines and people read it; scripts put it into the reader's own zone.

    Examples
    --------
    >>> print(moment(datetime(2026, 1, 31, 12, tzinfo=UTC)))
    <time datetime="2026-01-31T12:00:00+00:00">2026-01-31 12:00:00 UTC</time>
    """
    if at is None:
        return Markup("-")
    at = at.astimezone(UTC).replace(microsecond=0)
    return Markup('<time datetime="{}">{:%Y-%m-%d %H:%M:%S} UTC</time>').format(at.isoformat(), at)


def digest(html: str) -> str:
    """What tells one state of a part from another, so that none is put in its own place.

    Examples
    --------
    >>> digest("<p>one") == digest("<p>one"), digest("<p>one") == digest("<p>two")
    (True, False)
    """
    return hashlib.blake2b(html.encode(), digest_size=9).hexdigest()


def in_bytes(size: int) -> str:
    """Bytes as people say them.

    Examples
    --------
    >>> in_bytes(17), in_bytes(5_000_000)
    ('17 bytes', '4.8 MB')
    """
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def _visible(value: Any) -> Any:
    """Controls, and what turns the direction of writing, as escapes that are seen."""
    return shown_lines(value) if type(value) is str else value
