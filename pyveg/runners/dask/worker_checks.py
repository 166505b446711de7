"""Which workers can do the Tasks of a run, by what they tell of themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyveg.core.execute import describe
from pyveg.runners.dask import worker
from pyveg.runners.dask.opening import Opening

if TYPE_CHECKING:
    from distributed import Client

SAME = ("pyveg", "python")
"""What must be the same everywhere, as Tasks travel as they are."""
SAME_NUMBERS = ("numba", "numpy", "pillow", "rasterio", "scikit-image", "scipy")
"""Packages whose version results may depend on."""
SAME_WIRE = ("dask", "distributed")
"""Packages that talk to each other."""

Versions = Mapping[str, Mapping[str, Any]]
"""What `Client.get_versions` gives: ``client`` and ``scheduler``, and ``workers`` by address."""


@dataclass(frozen=True)
class Unfit:
    """One that can do no Task of the run."""

    name: str
    """``the scheduler``, or ``the worker <address>``."""
    reason: str


async def prepare(
    client: Client,
    opening: Opening,
    modules: Sequence[str] = (),
    workers: Sequence[str] | None = None,
) -> tuple[list[Unfit], list[str]]:
    """Look at the scheduler and its workers, and let the workers open the Store.

    Parameters
    ----------
    client : Client
    opening : Opening
    modules : sequence of str
        Modules that they must have.
    workers : sequence of str, optional
        Addresses; all where left out.

    Returns
    -------
    troubles : list of Unfit
        Who cannot be used, and why.
    notes : list of str
        What the user should know of the others.
    """
    versions = await client.get_versions(packages=["pyveg", *SAME_NUMBERS])
    if workers is not None:
        asked = {name: versions["workers"][name] for name in workers if name in versions["workers"]}
        versions = {**versions, "workers": asked}
    troubles = list(wrong_versions(versions))
    if troubles:
        return troubles, []
    answers = await client.run(
        worker.prepare,
        opening.token,
        dict(opening.store),
        dict(opening.environment),
        list(modules),
        workers=workers,
        on_error="return",
    )
    return list(refusals(answers)), list(different_numbers(versions))


def wrong_versions(versions: Versions) -> Iterator[Unfit]:
    """The scheduler or workers with another pyveg or Python, or without pyveg."""
    here = versions["client"]["packages"]
    for name, there in _others(versions):
        for package in SAME:
            wanted, theirs = _told(package, here), _told(package, there)
            if theirs == wanted:
                continue
            title = {"python": "Python"}.get(package, package)
            what = f"{title} {theirs}, and {wanted} is here" if theirs else f"no {title}"
            yield Unfit(name, f"it has {what}; install {title} {wanted} there and start it again")
            break


def different_numbers(versions: Versions) -> Iterator[str]:
    """Packages of other versions, which work but may give other numbers, or trouble."""
    here = versions["client"]["packages"]
    for package in (*SAME_NUMBERS, *SAME_WIRE):
        differing = {
            name: there.get(package)
            for name, there in _others(versions)
            if there.get(package) != here.get(package)
            and (name != "the scheduler" or package in SAME_WIRE)
        }
        if differing:
            name, theirs = next(iter(differing.items()))
            why = "may fail" if package in SAME_WIRE else "may give other numbers"
            yield (
                f"{name}{_more(len(differing))} has {package} {theirs}, and {here.get(package)} is "
                f"here; this {why}"
            )


def refusals(answers: Mapping[str, Any]) -> Iterator[Unfit]:
    """Workers whose own look at the run told of a trouble, or could not be taken."""
    for address, answer in answers.items():
        if isinstance(answer, OSError):  # it is gone; should it come back, it is asked again
            continue
        if isinstance(answer, BaseException):
            reason = f"{describe(answer)}; install there what is installed here"
            yield Unfit(f"the worker {address}", reason)
        elif answer:
            yield Unfit(f"the worker {address}", answer)


def sentence(troubles: Iterable[Unfit]) -> str:
    """The first trouble, and how many more there are like it."""
    first, *others = troubles
    return f"{first.name}{_more(len(others) + 1)} cannot be used: {first.reason}"


def _others(versions: Versions) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "the scheduler", versions["scheduler"]["packages"]
    for address, about in versions["workers"].items():
        yield f"the worker {address}", about["packages"]


def _told(package: str, packages: Mapping[str, Any]) -> str | None:
    """A version; of Python the first two numbers."""
    given = packages.get(package)
    if given is None or package != "python":
        return given
    return ".".join(str(given).split(".")[:2])


def _more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""
