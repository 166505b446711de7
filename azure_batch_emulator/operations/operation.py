"""What an operation of the service is, and how lists are answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from azure_batch_emulator.account.account import Account
from azure_batch_emulator.errors import not_supported
from azure_batch_emulator.protocol import filters, pages
from azure_batch_emulator.protocol.messages import Answer, Request

Document = dict[str, Any]
Handler = Callable[[Account, Request], Answer]

ALWAYS = frozenset({"api-version", "timeOut"})
"""Parameters of the query that every request may have."""

SHOWN = frozenset({"$select", "$expand"})
LISTED = SHOWN | {"$filter", "maxresults", "$skiptoken"}


@dataclass(frozen=True)
class Operation:
    """One operation.

    Parameters
    ----------
    name : str
        What the Python client calls it.
    method, path : str
        The HTTP verb, and the path with ``{names}``.
    status : int
        The only one of success that the client accepts.
    handle : callable
        Does it, under the lock of the account.
    query : frozenset of str
        The parameters that it knows beside those of every request.
    """

    name: str
    method: str
    path: str
    status: int
    handle: Handler
    query: frozenset[str] = frozenset()


def unsupported(name: str, method: str, path: str) -> Operation:
    """An operation of the service that the emulator refuses."""

    def refuse(_account: Account, _request: Request) -> Answer:
        raise not_supported(f"the operation {name}")

    return Operation(name, method, path, 501, refuse)


def shown(request: Request, document: Document) -> Document:
    """The fields of a document that a request selects."""
    refuse_expand(request)
    return pages.selection(request.query.get("$select"))(document)


def refuse_expand(request: Request) -> None:
    """Statistics are not kept, and made-up ones would be worse than none."""
    if request.query.get("$expand"):
        raise not_supported(f"$expand={request.query['$expand']}")


def listing(
    account: Account,
    request: Request,
    documents: Iterable[Document],
    fields: Mapping[str, frozenset[str]],
    key: Callable[[Document], str] = lambda document: str(document["id"]).lower(),
) -> Answer:
    """One page of a list, with the address of the next.

    Parameters
    ----------
    account : Account
        Its address stands in the next link.
    request : Request
        Filter, selection and size.
    documents : iterable
        All of them, ordered by the key.
    fields : mapping
        Which may be used in a filter, with which operators.
    key : callable
        A text by which they are ordered, different for each.
    """
    refuse_expand(request)
    query = request.query
    select = pages.selection(query.get("$select"))
    page = pages.page(
        documents,
        key,
        filters.parse(query.get("$filter"), fields),
        query.get("$skiptoken"),
        pages.page_size(query.get("maxresults")),
    )
    reply: Document = {
        "odata.metadata": f"{account.host.url}/$metadata#{request.parts[-1]}",
        "value": [select(document) for document in page.documents],
    }
    if page.token is not None:
        kept = {name: value for name, value in query.items() if name != "$skiptoken"}
        following = urlencode({**kept, "$skiptoken": page.token}, safe="$", quote_via=quote)
        reply["odata.nextLink"] = f"{account.host.url}{request.path}?{following}"
    return Answer(reply)
