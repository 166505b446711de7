"""Images in shards, and their lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.types import Item
from pyveg.modules.scoring import shards
from pyveg.storage.memory import MemoryStore

FOLDERS = st.lists(st.sampled_from(["", "a", "a/b", "c"]), max_size=30).map(sorted)


def _images(folders: Sequence[str]) -> list[Item]:
    return [
        Item(f"{folder}/{n}.jpg".lstrip("/"), {"input": f"/x/{n}", "size": n, "version": "1"})
        for n, folder in enumerate(folders)
    ]


@given(FOLDERS, st.integers(1, 7), st.sampled_from(["count", "folder"]))
def test_every_image_is_in_one_shard(folders: list[str], size: int, by: shards.By) -> None:
    images, store = _images(folders), MemoryStore()
    found = list(shards.shards_of(images, size, by))
    items = [shard.item({}) for shard in found]
    assert len({item.name for item in items}) == len(items)
    assert all(1 <= item.details["count"] <= size for item in items)
    assert shards.write_lists(found, store, items) == set()
    assert [image for item in items for image in shards.images_in(store, item)] == images
    for item in items:
        parts = [image.name.rpartition("/")[0] for image in shards.images_in(store, item)]
        assert by == "count" or len(set(parts)) == 1


def test_what_changed_has_another_digest() -> None:
    """A shard is known by names, sizes and versions of its images alone."""
    images = _images(["a"] * 6)
    before = [shard.item({}) for shard in shards.shards_of(images, 2, "count")]
    changed = [
        *images[:3],
        Item(images[3].name, {**images[3].details, "version": "2"}),
        *images[4:],
    ]
    after = [shard.item({}) for shard in shards.shards_of(changed, 2, "count")]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]


def test_shards_that_are_no_more_are_told() -> None:
    images, store = _images(["a"] * 4), MemoryStore()
    planned = [shard.item({}) for shard in shards.shards_of(images, 2, "count")]
    now = list(shards.shards_of(images[:3], 2, "count"))
    assert shards.write_lists(now, store, planned) == {"shard_00001"}
    assert len(list(store.list(""))) == 1


def test_one_shard_at_a_time_is_in_memory() -> None:
    asked = 0

    def each() -> Iterator[Item]:
        nonlocal asked
        for asked in range(1, 101):
            yield Item(f"{asked}.jpg", {"input": "x", "size": 1, "version": "1"})

    found = shards.shards_of(each(), 10, "count")
    assert next(found).item({}).details["count"] == 10
    assert asked <= 11
