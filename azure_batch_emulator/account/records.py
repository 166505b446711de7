"""What pools, nodes, jobs and tasks have in common: the document that the service shows of them."""

from __future__ import annotations

import itertools
from typing import Any

from azure_batch_emulator import times

Document = dict[str, Any]
_etags = itertools.count(0x8DE_0000_0000_0000)


class Record:
    """A thing of the service.

    The document is kept in the form of the replies and changed in place, under the lock of the
    account: filters and replies of thousands of tasks then cost nothing to make.

    Parameters
    ----------
    id_ : str
        As it was given.
    url : str
        Its address.
    state : str
        Its first state.
    body : dict
        Further fields.
    """

    def __init__(self, id_: str, url: str, state: str, body: Document) -> None:
        moment = times.now()
        self.id = id_
        self.document: Document = {
            "id": id_,
            "url": url,
            "eTag": _new_etag(),
            "lastModified": moment,
            "creationTime": moment,
            "state": state,
            "stateTransitionTime": moment,
            **body,
        }

    @property
    def key(self) -> str:
        """Ids compare without case."""
        return self.id.lower()

    @property
    def state(self) -> str:
        """Its state, in the service's words."""
        return str(self.document["state"])

    @property
    def url(self) -> str:
        """Its address."""
        return str(self.document["url"])

    def move(self, state: str) -> None:
        """Go to another state; the eTag stays, as it does in the service."""
        if state != self.state:
            self.document["previousState"] = self.state
            self.document["previousStateTransitionTime"] = self.document["stateTransitionTime"]
            self.document["state"] = state
            self.document["stateTransitionTime"] = times.now()

    def modify(self, changes: Document) -> None:
        """Change what a client may change."""
        self.document.update(changes)
        self.document["eTag"] = _new_etag()
        self.document["lastModified"] = times.now()


def _new_etag() -> str:
    return f"0x{next(_etags):X}"
