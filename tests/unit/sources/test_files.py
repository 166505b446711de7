from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError, DataError
from pyveg.core.layout import LONGEST_PART, item_folder
from pyveg.core.types import Item
from pyveg.sources.files import FileInputs
from pyveg.storage.remote import FsspecStore


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("data/a.csv", "data/b.csv", "data/deep/a.csv", "data/c.txt", "other/a.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "data/.hidden").write_text("")
    (tmp_path / "data/.folder").mkdir()
    (tmp_path / "data/.folder/x.csv").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _names(*patterns: str) -> list[str]:
    return [item.name for item in FileInputs(patterns).items()]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["data/*.csv"], ["a.csv", "b.csv"]),
        (["data/**/*.csv"], ["a.csv", "b.csv", "deep/a.csv"]),
        (["data"], ["a.csv", "b.csv", "c.txt", "deep/a.csv"]),
        (["data/"], ["a.csv", "b.csv", "c.txt", "deep/a.csv"]),
        (["data/a.csv"], ["a.csv"]),
        (["./data/../data/[ab].csv"], ["a.csv", "b.csv"]),
        (["data/*.csv", "other/*.csv"], ["data/a.csv", "data/b.csv", "other/a.csv"]),
        (["data/a.csv", "data/*.csv"], ["a.csv", "b.csv"]),
        (["*/a.csv"], ["data/a.csv", "other/a.csv"]),
    ],
)
def test_items_are_named_below_the_folder_that_all_share(
    desk: Path, patterns: list[str], names: list[str]
) -> None:
    assert _names(*patterns) == names
    assert _names(*(str(desk / pattern) for pattern in patterns)) == names
    settled = FileInputs(patterns).settled()
    os.chdir("/")
    assert _names(*settled) == names


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lists_of_any_encoding_that_says_so(desk: Path, encoding: str, end: str) -> None:
    for name in ("Ümlaut.csv", "日本.csv", "a\u2028b.csv"):
        (desk / "data" / name).write_text("x")
    text = end.join(["# names", "Ümlaut.csv", "", "日本.csv", "a\u2028b.csv"])
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (desk / "data/list").write_bytes((mark + text).encode(encoding))
    items = FileInputs(["@data/list"]).items()
    assert [item.name for item in items] == ["Ümlaut.csv", "日本.csv", "a\u2028b.csv"]
    assert all(item.details["version"] for item in items)


@pytest.mark.parametrize(
    "data",
    [
        b"a.csv\0b.csv\0",  # find -print0
        "a.csv\nb.csv".encode("utf-16-le"),  # without a mark
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\xff\xfea",  # half of a character
        b"\xff\xfe\x00\xd8",
        b"\0" * 100,
    ],
)
def test_what_is_no_list_is_one_sentence(desk: Path, data: bytes) -> None:
    (desk / "list").write_bytes(data)
    with pytest.raises(ConfigError, match=r"the list .*list cannot be read") as caught:
        FileInputs(["@list"]).items()
    assert str(caught.value).isprintable()


def test_a_document_is_no_list_of_lines(desk: Path) -> None:
    (desk / "list.json").write_text('["a.csv"]')
    with pytest.raises(ConfigError, match=r"no list of lines; .* ends with \.jsonl"):
        FileInputs(["@list.json"]).items()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_what_is_no_file_is_named_as_what_it_is(desk: Path) -> None:
    os.mkfifo(desk / "pipe")
    (desk / "link").symlink_to(desk / "nothing")
    (desk / "circle").symlink_to(desk / "circle")
    names = ["data", "pipe", "link", "circle", "/dev/null", "none", "data/a.csv", "x" * 300]
    (desk / "list").write_text("\n".join(names))
    inputs = FileInputs(["@list"])
    words = ["it is a folder", "it is a pipe", "is a link to nothing", "link", "it is a device"]
    words += ["is not there", "", "cannot be looked at"]
    for item, said in zip(inputs.items(), words, strict=True):
        if said:
            with pytest.raises(DataError, match=said):
                inputs.path(item)
        else:
            assert inputs.path(item)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_as_a_list_is_read_by_nobody(device: str) -> None:
    with pytest.raises(ConfigError, match="it is a device"):
        FileInputs([f"@{device}"]).items()


def test_a_list_may_be_a_pipe(desk: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, f"{desk}/data/a.csv\n".encode())
    os.close(writer)
    try:
        assert [item.name for item in FileInputs([f"@/dev/fd/{reader}"]).items()]
    finally:
        os.close(reader)


def test_a_file_that_changes_while_it_is_read_fails_by_name(desk: Path) -> None:
    inputs = FileInputs(["data/a.csv"])
    (item,) = inputs.items()
    opened = inputs.open(item)
    opened.__enter__().read()
    (desk / "data/a.csv").write_text("other")
    with pytest.raises(DataError, match=r"a\.csv has changed"):
        opened.__exit__(None, None, None)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:pw@host/x.csv",
        "https://ghp_token@host/x.csv",
        "https://account.blob.core.windows.net/c/x.csv?sv=2021&sig=abcdefgh",
        "s3://key:secret@bucket/x.csv",
        "https://host/x.csv?access_token=abcdefgh",
    ],
)
def test_no_address_may_hold_a_secret(url: str, desk: Path) -> None:
    (desk / "list").write_text(url)
    for pattern in (url, "@list"):
        with pytest.raises(ConfigError, match="with a password or token") as caught:
            FileInputs([pattern]).items()
        for secret in ("pw", "ghp_token", "abcdefgh", "key:secret"):
            assert secret not in str(caught.value)


def test_names_do_not_depend_on_what_is_there(desk: Path) -> None:
    before = _names("data/**/*.csv", "other/*.csv")
    for name in ("data/b.csv", "data/a.csv", "other/a.csv"):
        (desk / name).unlink()
    assert set(_names("data/**/*.csv", "other/*.csv")) < set(before)


def test_a_list(desk: Path) -> None:
    """Paths are relative to the list; what is not there is an item all the same."""
    (desk / "data/list.txt").write_text(
        f"# a comment\na.csv\n\nmissing.csv\n{desk}/data/b.csv\r\n../other/a.csv\n"
    )
    items = FileInputs(["@data/list.txt"]).items()
    assert [item.name for item in items[:3]] == ["a.csv", "missing.csv", "b.csv"]
    assert items[3].name == f"{desk}/other/a.csv".lstrip("/")
    assert [bool(item.details["version"]) for item in items] == [True, False, True, True]
    with pytest.raises(DataError, match=r"missing\.csv is not there"):
        FileInputs(()).path(items[1])


def test_a_list_that_says_more(desk: Path) -> None:
    """Names and metadata of a list go with its inputs; one may be refused by whoever wrote it."""
    rows = [
        "a.csv",
        {"input": "b.csv", "file": "north/B.csv", "meta": {"camera": 7}},
        {"input": "https://example.org/c.jpg", "file": "c?.jpg", "meta": None},
        {"input": "https://example.org/d.jpg", "refused": "its address has a password in it"},
    ]
    (desk / "data/list.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    inputs = FileInputs(["@data/list.jsonl"], [])
    items = inputs.items()
    names = ["a.csv", "north/B.csv", "c?.jpg", "example.org/d.jpg"]
    assert [item.name for item in items] == names
    found = [item.details.get("meta", "none") for item in items]
    assert found == ["none", {"camera": 7}, None, "none"]
    with inputs.open(items[1]) as stream:
        assert stream.read() == b"data/b.csv"
    with pytest.raises(DataError, match="has a password in it"), inputs.open(items[3]):
        pass


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"input": ', "line 2 .*is no JSON"),
        ('{"meta": 1}', "line 2 .*is no input"),
        ('{"input": "a", "more": 1}', "line 2 .*is no input"),
        ('{"input": "a", "file": 1}', "line 2 .*is no input"),
        ("[1]", "line 2 .*is no input"),
    ],
)
def test_a_line_that_says_nothing(desk: Path, line: str, said: str) -> None:
    (desk / "list.jsonl").write_text(f'"data/a.csv"\n{line}\n')
    with pytest.raises(ConfigError, match=said):
        FileInputs(["@list.jsonl"]).items()
    with pytest.raises(ConfigError, match="cannot be read"):
        FileInputs(["@gone.jsonl"]).items()


def test_a_change_is_another_version(desk: Path) -> None:
    (before,) = FileInputs(["data/a.csv"]).items()
    assert FileInputs(["data/a.csv"]).items() == [before]
    with FileInputs(()).open(before) as stream:
        assert stream.read() == b"data/a.csv"
    (desk / "data/a.csv").write_text("data/A.csv")  # of the same length
    os.utime("data/a.csv", ns=(1, 1))
    (after,) = FileInputs(["data/a.csv"]).items()
    assert after.details["version"] != before.details["version"]
    with pytest.raises(DataError, match="has changed since the run was planned"):
        FileInputs(()).path(before)
    (desk / "data/a.csv").unlink()
    with pytest.raises(DataError, match="is not there"), FileInputs(()).open(after):
        pass


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("nothing/*.csv", "no input is there"),
        ("data/*.tif", "no input is there"),
        ("dta", "no input is there"),
        ("data/deep*", "no input is there"),  # a folder by a pattern
        ("", "can be no input"),
        ("@nolist", "nolist cannot be read: No such file"),
        ("nonsense://x/y", 'unknown storage protocol "nonsense"'),
        ("memory://nothing/here", "no input is there"),
        ("sftp://me:secret@host/x", "leave the password out"),
    ],
)
def test_what_is_not_there(desk: Path, pattern: str, said: str) -> None:
    del desk
    with pytest.raises(ConfigError) as caught:
        FileInputs([pattern]).items()
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_read(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (item,) = FileInputs(["data/a.csv"]).items()

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    said = f"{desk}/data/a.csv cannot be read: Permission denied"
    with pytest.raises(DataError, match=said), FileInputs(()).open(item):
        pass


@pytest.fixture
def memory() -> Iterator[Any]:
    fs = fsspec.filesystem("memory")
    fs.pipe({"/box/in/a.csv": b"1", "/box/in/b.csv": b"22", "/box/in/deep/c.csv": b"333"})
    yield fs
    fs.rm("/box", recursive=True)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("memory://box/in", ["a.csv", "b.csv", "deep/c.csv"]),
        ("memory://box/in/*.csv", ["a.csv", "b.csv"]),
        ("memory://box/*/*.csv", ["in/a.csv", "in/b.csv"]),
        ("memory://box/in/b.csv", ["b.csv"]),
    ],
)
def test_urls(memory: Any, pattern: str, names: list[str]) -> None:
    items = FileInputs([pattern]).items()
    assert [item.name for item in items] == names
    for item in items:
        with FileInputs(()).open(item) as stream:
            assert len(stream.read()) == item.details["size"]
        assert FileInputs(()).path(item) is None
    gone = items[-1]
    memory.rm(gone.details["input"])
    with pytest.raises(DataError, match="is not there"), FileInputs(()).open(gone):
        pass


def test_a_list_of_urls(memory: Any, tmp_path: Path) -> None:
    del memory
    (tmp_path / "list").write_text("memory://box/in/a.csv\nmemory://box/in/no.csv\n")
    items = FileInputs([f"@{tmp_path}/list"]).items()
    assert [item.name for item in items] == ["box/in/a.csv", "box/in/no.csv"]
    assert [bool(item.details["version"]) for item in items] == [True, False]


def test_a_container(azure_config: Path) -> None:
    """By its name, as in the other commands; each blob has its version."""
    from pyveg.storage import azure

    del azure_config
    store = azure.open_store("inputs-of-test")
    for key in ("2024/a.csv", "2024/b.txt", "2024/deep/a b.csv", "20245/c.csv"):
        store.write(key, key.encode())
    url = "azure://inputs-of-test/2024"
    assert _names(url) == ["a.csv", "b.txt", "deep/a b.csv"]
    assert _names(f"{url}/*.csv") == ["a.csv"]
    assert _names(f"{url}/**/*.csv") == ["a.csv", "deep/a b.csv"]
    (item,) = FileInputs([f"{url}/a.csv"]).items()
    with FileInputs(()).open(item) as stream:
        assert stream.read() == b"2024/a.csv"
    store.write("2024/a.csv", b"2024/A.csv")
    (changed,) = FileInputs([f"{url}/a.csv"]).items()
    assert changed.details["version"] != item.details["version"]
    store.delete("2024/a.csv")
    with pytest.raises(DataError, match="is not there"), FileInputs(()).open(item):
        pass
    with pytest.raises(ConfigError, match="there is no such container"):
        FileInputs(["azure://inputs-of-tes/2024"]).items()


BYTES = st.binary(min_size=1, max_size=255).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)


@pytest.mark.skipif(os.name == "nt", reason="names of other systems are bytes")
@given(st.lists(BYTES, min_size=1, max_size=4, unique=True))
def test_any_name_of_a_file_arrives(
    tmp_path_factory: pytest.TempPathFactory, names: list[bytes]
) -> None:
    """Each file is an item, has a folder of its own, and is found again from its JSON."""
    import json

    folder = tmp_path_factory.mktemp("odd")
    for name in names:
        Path(folder, os.fsdecode(name)).write_bytes(name)
    (folder / "list").write_text("a")  # so that not all of them begin with a dot
    items = [item for item in FileInputs([str(folder)]).items() if item.name != "list"]
    shown = {name for name in names if not name.startswith(b".") and name != b"list"}
    assert len(items) == len(shown)
    folders = {item_folder(item.name) for item in items}
    assert len(folders) == len(items)
    assert all(len(part.encode()) <= LONGEST_PART and part.isprintable() for part in folders)
    for item in items:
        again = json.loads(json.dumps([item.name, item.details]))
        with FileInputs(()).open(Item(*again)) as stream:
            assert stream.read() == os.fsencode(Path(item.details["input"]).name)


@pytest.mark.parametrize(
    ("url", "stripped", "name", "whole"),
    [
        ("sftp://host/in/*.csv", "/in/*.csv", "/in/a.csv", "sftp://host/in/a.csv"),
        ("s3://box/in/*", "box/in/*", "box/in/a", "s3://box/in/a"),
        ("memory://in/", "/in", "/in/a", "memory://in/a"),
        ("https://host/in/", "https://host/in/", "https://host/in/a", "https://host/in/a"),
    ],
)
def test_a_path_of_a_service_as_a_url(url: str, stripped: str, name: str, whole: str) -> None:
    """Many file systems of fsspec leave out the host."""
    from pyveg.sources.remote_files import _url

    fs = SimpleNamespace(_strip_protocol=lambda _: stripped)
    assert _url(name, url, fs) == whole


def test_what_tools_make_for_a_folder_is_no_input(memory: Any) -> None:
    memory.store["/box/in/notes/"] = memory.store["/box/in/a.csv"]
    names = [item.name for item in FileInputs(["memory://box/in"]).items()]
    assert names == ["a.csv", "b.csv", "deep/c.csv"]
    assert list(FsspecStore("memory://box/in").list()) == names
    del memory.store["/box/in/notes/"]  # which its own `rm` does not find
