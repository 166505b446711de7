"""The images that a job is about: of a list or a container, filtered, and written as a list.

It is done once, in the process of the job: what is wrong with a list is told as the job's message,
and a job that is taken up again has the same images.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pyveg.core import registry
from pyveg.core.errors import ConfigError, DataError, PyvegError
from pyveg.core.secrets import has_secret, redacted
from pyveg.core.texts import brief
from pyveg.core.types import Item
from pyveg.photos import ENDINGS
from pyveg.service import containers, json_array

LIST = "images.jsonl"
COUNT = "images.json"
"""Names in the folder of a job."""
MOST_IMAGES = 4_000_000
_IN_ADDRESSES = "%/:?#[]@!$&'()*+,;=~"
"""Signs that are left as they are; spaces and letters of other scripts are encoded."""
_LONGEST_PAGE = 64 * 2**20


@dataclass(frozen=True)
class Wanted:
    """Which images are meant."""

    container: str = ""
    """Its address; empty where the list has addresses."""
    images_list: str = ""
    """Address of a JSON list; all of the container where empty."""
    prefix: str = ""
    """That names begin with."""
    first_n: int = 0
    """So many of them from the beginning; all where 0."""
    sample_n: int = 0
    """So many of these by chance; all where 0."""
    private_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Image:
    """One that is listed."""

    locator: str
    meta: Any = None
    has_meta: bool = False


def gather(folder: Path, wanted: Wanted) -> Path:
    """The list of a job's images in its folder, written where it is not there yet.

    Raises
    ------
    ConfigError
        If a list or container cannot be read, holds something else than images, or too many.
    """
    path = folder / LIST
    if path.exists():
        return path
    partial = folder / f".{LIST}"
    try:
        count = _written(partial, wanted)
        if wanted.sample_n:
            count = _sampled(partial, count, wanted.sample_n)
    except PyvegError as error:
        partial.unlink(missing_ok=True)
        raise ConfigError(error.wrong, error.cure) from error
    (folder / COUNT).write_text(json.dumps({"num_images": count}), encoding="utf-8")
    partial.replace(path)
    return path


def count_of(folder: Path) -> int | None:
    """How many images a job has; None where they are not listed yet."""
    try:
        return int(json.loads((folder / COUNT).read_text(encoding="utf-8"))["num_images"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _written(path: Path, wanted: Wanted) -> int:
    """Write the lines of all that pass the filters; gives their number."""
    chosen = _distinct(one for one in _listed(wanted) if _fits(one, wanted))
    count = 0
    with path.open("w", encoding="utf-8") as out:
        for image in islice(chosen, wanted.first_n or None):
            count += 1
            if count > MOST_IMAGES and not wanted.sample_n:
                raise DataError(
                    f"there are more than {MOST_IMAGES:,} images", "divide them among several jobs"
                )
            out.write(json.dumps(_line(image, wanted)) + "\n")
        for _ in chosen:  # to the end all the same: what is wrong behind is told too
            pass
    return count


def _sampled(path: Path, count: int, wanted: int) -> int:
    """Keep some lines by chance, in their order."""
    if wanted > count:
        raise DataError(
            f"sample_n is {wanted:,}, and {count:,} images are there", "give a smaller sample_n"
        )
    if wanted > MOST_IMAGES:
        raise DataError(f"sample_n is more than {MOST_IMAGES:,}", "divide them among several jobs")
    kept = set(random.sample(range(count), wanted))
    rest = path.with_suffix(".sample")
    with path.open("rb") as lines, rest.open("wb") as out:
        out.writelines(line for number, line in enumerate(lines) if number in kept)
    rest.replace(path)
    return wanted


def _listed(wanted: Wanted) -> Iterator[_Image]:
    inputs = registry.open_inputs((), wanted.private_hosts)

    def read(url: str) -> bytes:
        with inputs.open(_at(url)) as stream:
            data = stream.read(_LONGEST_PAGE + 1)
        if len(data) > _LONGEST_PAGE:
            raise DataError("the container has answered with too much", "look at its address")
        return data

    if wanted.images_list:
        with inputs.open(_at(wanted.images_list)) as stream:
            yield from _of_list(json_array.items(stream, "the list of images"))
        return
    top, folder = containers.parts_of(wanted.container)
    # The longer one, since both must hold; which images fit is looked at once more.
    prefix = max(folder, wanted.prefix, key=len)
    for name in containers.blobs(top, prefix, read):
        if name.startswith(folder):
            yield _Image(name)


def _at(url: str) -> Item:
    """An address as an input that is looked at when it is opened."""
    return Item(url, {"input": url, "version": "not looked at"})


def _of_list(entries: Iterable[Any]) -> Iterator[_Image]:
    """Texts alone, or pairs alone."""
    kind: type | None = None
    for entry in entries:
        kind = kind or type(entry)
        if type(entry) is not kind:
            raise DataError(
                "the list of images has texts and pairs mixed",
                "give all images as texts, or all as [name, metadata]",
            )
        if isinstance(entry, str):
            yield _Image(entry)
        elif isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str):
            yield _Image(entry[0], entry[1], has_meta=True)
        else:
            raise DataError(
                f"the list of images holds {brief(repr(entry))}",
                "give each image as a text, or as [name, metadata]",
            )


def _fits(image: _Image, wanted: Wanted) -> bool:
    name = image.locator
    path = name if wanted.container else _path_of(name)
    return name.startswith(wanted.prefix) and path.lower().endswith(ENDINGS)


def _path_of(url: str) -> str:
    """An address without its query; urlsplit would take longer than all else."""
    return url.partition("#")[0].partition("?")[0]


def _distinct(images: Iterable[_Image]) -> Iterator[_Image]:
    """Each name once, the first time that it comes."""
    seen: set[bytes] = set()
    for image in images:
        found = blake2b(image.locator.encode("utf-8", "surrogatepass"), digest_size=12).digest()
        if found not in seen:
            seen.add(found)
            yield image


def _line(image: _Image, wanted: Wanted) -> dict[str, Any]:
    """As `pyveg.sources.json_lists` reads it."""
    meta = {"meta": image.meta} if image.has_meta else {}
    if wanted.container:
        top, _ = containers.parts_of(wanted.container)
        where = containers.address_of(top, image.locator)
        return {"input": where, "file": image.locator, **meta}
    url = image.locator
    if has_secret(url):
        why = "its address holds a password or token, and addresses are kept with the run"
        return {"input": redacted(url), "file": redacted(url), "refused": why, **meta}
    if not url.startswith(("http://", "https://")):
        why = "it is no address of http or https"
        return {"input": url, "file": url, "refused": why, **meta}
    return {"input": quote(url, safe=_IN_ADDRESSES), "file": url, **meta}


def describes(images: Sequence[str], container: str, images_list: str) -> bool:
    """Whether it is said in one way, and one way only, which images are meant."""
    return bool(images) != bool(container or images_list)
