"""What a caller is told that cannot have what it asks for; each has a status of HTTP."""

from __future__ import annotations

from pyveg.core.errors import ConfigError, PyvegError

_OGC = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
NO_PROCESS = f"{_OGC}/no-such-process"
NO_JOB = f"{_OGC}/no-such-job"
NOT_READY = f"{_OGC}/result-not-ready"
BLANK = "about:blank"

_TITLES = {
    400: "The request is wrong",
    401: "No token",
    403: "Not allowed",
    404: "Not found",
    409: "Conflict",
    413: "The body is too large",
    422: "The inputs are wrong",
    429: "Too many at once",
    503: "Not possible at the moment",
}


class Refusal(PyvegError):  # noqa: N818 - the word of the service for it
    """A request that is not carried out.

    Parameters
    ----------
    status : int
        Of HTTP.
    wrong, cure : str
        What is wrong, and what to do about it.
    kind : str
        The ``type`` of the problem, an URI.
    pointer : str
        Which part of the body is wrong, as a JSON pointer.
    retry_after : int, optional
        After how many seconds the same may be possible.

    Examples
    --------
    >>> Refusal(404, "there is no job 7", "list them at /jobs").title
    'Not found'
    """

    def __init__(
        self,
        status: int,
        wrong: str,
        cure: str = "",
        *,
        kind: str = BLANK,
        pointer: str = "",
        retry_after: int | None = None,
    ) -> None:
        super().__init__(wrong, cure)
        self.status = status
        self.kind = kind
        self.pointer = pointer
        self.retry_after = retry_after

    @property
    def title(self) -> str:
        """What kind of refusal it is, in words that do not change."""
        return _TITLES.get(self.status, "The request cannot be answered")

    def to_json(self) -> dict[str, object]:
        """The problem by RFC 9457, with the cure."""
        said = {"cure": self.cure, "pointer": self.pointer}
        return {
            "type": self.kind,
            "title": self.title,
            "status": self.status,
            "detail": self.wrong,
            **{name: text for name, text in said.items() if text},
        }


def no_job(job: str) -> Refusal:
    """There is none of that id, or it is somebody else's."""
    return Refusal(404, f"there is no job {job[:64]}", "list yours at /jobs", kind=NO_JOB)


def unavailable(error: PyvegError, *, after: int = 10) -> Refusal:
    """Something that the service stands on is away."""
    return Refusal(503, error.wrong, error.cure, retry_after=after)


def wrong_inputs(error: ConfigError, pointer: str = "/inputs") -> Refusal:
    """Inputs that cannot be used."""
    return Refusal(422, error.wrong, error.cure, pointer=pointer)
