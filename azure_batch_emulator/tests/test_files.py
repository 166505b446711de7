"""Files that tasks get, keep, show and give away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.batch import models as m
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from azure_batch_emulator import Emulator, Settings
from azure_batch_emulator.host.transfers import matches

TREE = "sh -c 'mkdir -p out/deep; echo a > out/a.png; echo b > out/deep/b.png; echo c > out/.c.png'"


def output(url: str, pattern: str, path: str | None, when: str = "tasksuccess") -> m.OutputFile:
    container = m.OutputFileBlobContainerDestination(container_url=url, path=path)
    return m.OutputFile(
        file_pattern=pattern,
        destination=m.OutputFileDestination(container=container),
        upload_options=m.OutputFileUploadConfiguration(upload_condition=when),
    )


def test_resource_file_from_its_address(ready: Any, blobs: Any) -> None:
    blobs.content["/c/in.txt"] = b"hello"
    url = f"{blobs.url}/c/in.txt?{blobs.sas}"
    resource = m.ResourceFile(http_url=url, file_path="deep/er/in.txt", file_mode="0640")
    ready.run("sh -c 'cat deep/er/in.txt; stat -c %a deep/er/in.txt'", resource_files=[resource])
    assert ready.output() == "hello640\n"


def test_resource_files_of_a_container(ready: Any, blobs: Any) -> None:
    for name in ("x/1", "x/2", "x/3 é", "y/1"):
        blobs.content[f"/c/{name}"] = name.encode()
    resource = m.ResourceFile(
        storage_container_url=f"{blobs.url}/c?{blobs.sas}", blob_prefix="x/", file_path="got"
    )
    ready.run("find got -type f", resource_files=[resource])
    assert sorted(ready.output().splitlines()) == ["got/x/1", "got/x/2", "got/x/3 é"]


def test_container_that_cannot_be_listed(ready: Any, blobs: Any) -> None:
    resource = m.ResourceFile(storage_container_url=f"{blobs.url}/c?sig=wrong")
    info = ready.run("true", resource_files=[resource]).execution_info
    assert info.failure_info.code == "BlobAccessDenied"


def test_busy_storage_is_asked_again(ready: Any, blobs: Any) -> None:
    blobs.content["/c/in"] = b"x"
    blobs.answers = [503]
    resource = m.ResourceFile(http_url=f"{blobs.url}/c/in?{blobs.sas}", file_path="in")
    info = ready.run("cat in", resource_files=[resource]).execution_info
    assert (info.result, blobs.answers) == ("success", [])


@pytest.mark.parametrize(
    ("address", "file", "code"),
    [
        ("/c/none?sig=secret", "x", "BlobNotFound"),
        ("/c/in?sig=wrong", "x", "BlobAccessDenied"),
        ("/c/in?sig=secret", "../../x", "ResourceFileCreateFailed"),
    ],
)
def test_resource_file_that_does_not_come(
    ready: Any, blobs: Any, address: str, file: str, code: str
) -> None:
    blobs.content["/c/in"] = b"x"
    resource = m.ResourceFile(http_url=f"{blobs.url}{address}", file_path=file)
    retries = m.BatchTaskConstraints(max_task_retry_count=2)
    info = ready.run("true", resource_files=[resource], constraints=retries).execution_info
    assert (info.result, info.failure_info.code) == ("failure", code)
    assert (info.exit_code, info.retry_count) == (None, 0)
    assert "sig=" not in str(info)


@pytest.mark.parametrize(
    "resource",
    [
        {"filePath": "x"},
        {"httpUrl": "http://a/b"},
        {"httpUrl": "http://a/b", "blobPrefix": "c", "filePath": "x"},
        {"httpUrl": "http://a/b", "storageContainerUrl": "http://a/c", "filePath": "x"},
    ],
)
def test_resource_file_from_exactly_one_place(ready: Any, resource: dict[str, str]) -> None:
    body = {"id": "t", "commandLine": "true", "resourceFiles": [resource]}
    reply = ready.send("POST", "/jobs/j/tasks", body)
    assert reply.status == 400
    assert reply.code in {"InvalidPropertyValue", "MissingRequiredProperty"}


def test_output_files_go_to_their_container(ready: Any, blobs: Any) -> None:
    url = f"{blobs.url}/c?{blobs.sas}"
    files = [
        output(url, "out/*.png", "one"),
        output(url, "**/*.png", "all"),
        output(url, "out/a.png", "named/it.png"),
        output(url, "out/.c.png", None),
        output(url, "../stdout.txt", "log.txt", "taskcompletion"),
        output(url, "out/a.png", "never", "taskfailure"),
    ]
    assert ready.run(TREE, output_files=files).execution_info.result == "success"
    assert blobs.content.keys() == {
        "/c/one/a.png",
        "/c/all/out/a.png",
        "/c/all/out/deep/b.png",
        "/c/named/it.png",
        "/c/.c.png",
        "/c/log.txt",
    }
    assert blobs.content["/c/all/out/deep/b.png"] == b"b\n"
    assert blobs.kinds["/c/one/a.png"] == "image/png"


def test_headers_of_uploads(ready: Any, blobs: Any) -> None:
    file = output(f"{blobs.url}/c?{blobs.sas}", "../stdout.txt", "log")
    file.destination.container.upload_headers = [
        m.OutputFileUploadHeader(name="Content-Type", value="text/x-log")
    ]
    ready.run("true", output_files=[file])
    assert blobs.kinds == {"/c/log": "text/x-log"}


def test_output_files_of_a_failure(ready: Any, blobs: Any) -> None:
    url = f"{blobs.url}/c?{blobs.sas}"
    files = [
        output(url, "../stderr.txt", "why", "taskfailure"),
        output(url, "../stderr.txt", "fine", "tasksuccess"),
    ]
    ready.run("sh -c 'echo reason >&2; exit 1'", output_files=files)
    assert blobs.content == {"/c/why": b"reason\n"}


@pytest.mark.parametrize(
    ("sas", "answers", "code"),
    [
        ("sig=expired", [], "FileUploadAccessDenied"),
        ("sig=secret", [500, 500, 500], "FileUploadMiscError"),
    ],
)
def test_failed_upload_fails_the_task(
    ready: Any, blobs: Any, sas: str, answers: list[int], code: str
) -> None:
    blobs.answers = answers
    files = [output(f"{blobs.url}/c?{sas}", "../stdout.txt", "log", "taskcompletion")]
    info = ready.run("true", output_files=files).execution_info
    assert (info.exit_code, info.result, info.failure_info.code) == (0, "failure", code)
    assert sas not in str(info)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", ["top"]),
        ("**", ["a/b/deep.txt", "a/one.txt", "a/two.txt", "top"]),
        ("**/*.txt", ["a/b/deep.txt", "a/one.txt", "a/two.txt"]),
        ("a/*", ["one.txt", "two.txt"]),
        ("a/**/*", ["b/deep.txt", "one.txt", "two.txt"]),
        ("a/[!t]*.txt", ["one.txt"]),
        ("a/t?o.txt", ["two.txt"]),
        ("a/one.txt", ["one.txt"]),
        ("a/.hidden", [".hidden"]),
        ("a/.h*", [".hidden"]),
        ("../std*.txt", ["stderr.txt", "stdout.txt"]),
        ("../../secret", []),
        ("none/*", []),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, names: list[str]) -> None:
    task = tmp_path / "task"
    for name in ("wd/top", "wd/a/one.txt", "wd/a/two.txt", "wd/a/.hidden", "wd/a/b/deep.txt",
                 "stdout.txt", "stderr.txt", "../secret"):  # fmt: skip
        (task / name).parent.mkdir(parents=True, exist_ok=True)
        (task / name).touch()
    assert [name for _, name in matches(pattern, task / "wd")] == names


def test_files_of_a_task_are_listed(ready: Any) -> None:
    ready.run(TREE)
    top = {file.name: file for file in ready.client.list_task_files("j", "t")}
    assert top.keys() == {"stdout.txt", "stderr.txt", "wd"}
    assert top["wd"].is_directory
    assert top["wd"].properties is None
    everything = list(ready.client.list_task_files("j", "t", recursive=True))
    assert [file.name for file in everything if not file.is_directory] == [
        "stderr.txt", "stdout.txt", "wd/out/.c.png", "wd/out/a.png", "wd/out/deep/b.png",
    ]  # fmt: skip
    some = ready.client.list_task_files(
        "j", "t", recursive=True, filter="startswith(name,'wd/out/deep/')"
    )
    (file,) = some
    assert (file.properties.content_length, file.properties.content_type) == (2, "image/png")
    assert file.properties.last_modified > datetime.now(UTC) - timedelta(minutes=1)
    paged = ready.client.list_task_files("j", "t", recursive=True, max_results=2)
    assert [file.name for file in paged] == [file.name for file in everything]


def test_names_in_both_cases_on_pages_of_one(ready: Any) -> None:
    ready.run("touch B a A b")
    files = ready.client.list_task_files(
        "j", "t", recursive=True, filter="startswith(name,'wd/')", max_results=1
    )
    assert [file.name for file in files] == ["wd/A", "wd/B", "wd/a", "wd/b"]


def test_files_of_a_task_are_served(ready: Any) -> None:
    ready.run('sh -c \'printf 0123456789; mkdir "a b"; printf x > "a b/c%d.txt"\'')
    client = ready.client
    assert ready.output() == "0123456789"
    assert b"".join(client.download_task_file("j", "t", "wd/a b/c%d.txt")) == b"x"
    for text, expected in (("0-3", b"0123"), ("7-", b"789"), ("8-99", b"89")):
        part = client.download_task_file("j", "t", "stdout.txt", ocp_range=f"bytes={text}")
        assert b"".join(part) == expected
    properties = client.get_task_file_properties("j", "t", "stdout.txt")
    assert properties.content_length == 10
    assert properties.is_directory in {False, "False", None}
    reply = ready.send("GET", "/jobs/j/tasks/t/files/stdout.txt")
    assert reply.headers["ocp-batch-file-isdirectory"] == "False"
    assert reply.headers["Content-Type"] == "text/plain"
    assert reply.headers["ocp-batch-file-url"].endswith("%2Ffiles%2Fstdout.txt")
    client.delete_task_file("j", "t", "stdout.txt")
    with pytest.raises(ResourceNotFoundError):
        b"".join(client.download_task_file("j", "t", "stdout.txt"))


def test_growing_output_can_be_read(ready: Any) -> None:
    ready.add("t", "sh -c 'echo begin; exec sleep 60'")
    ready.in_state("running", "t")
    ready.until(lambda: ready.send("GET", "/jobs/j/tasks/t/files/stdout.txt")[2] == b"begin\n")
    ready.client.terminate_task("j", "t")
    assert ready.ended("t").execution_info.failure_info.code == "TaskEnded"
    assert ready.output() == "begin\n"


def test_ranges_and_paths_that_are_wrong(ready: Any) -> None:
    ready.run("echo 123")
    for range_ in ("bytes=9-10", "bytes=2-1", "words=1-2"):
        path = "/jobs/j/tasks/t/files/stdout.txt"
        reply = ready.send("GET", path, headers={"ocp-range": range_})
        assert (reply.status, reply.code) == (416, "InvalidRange")
    for name in ("none", "..%2F..%2F..%2Fshared", "%2Fetc%2Fpasswd", "wd"):
        reply = ready.send("GET", f"/jobs/j/tasks/t/files/{name}")
        assert (reply.status, reply.code) == (404, "FileNotFound")


def test_a_link_out_of_the_folder_is_not_followed(ready: Any) -> None:
    ready.run("ln -s /etc/hostname link")
    assert ready.send("GET", "/jobs/j/tasks/t/files/wd%2Flink").code == "FileNotFound"


def test_folders_are_deleted_only_with_all_they_hold(ready: Any) -> None:
    ready.run(TREE)
    with pytest.raises(HttpResponseError) as caught:
        ready.client.delete_task_file("j", "t", "wd/out")
    assert caught.value.error.code == "InvalidQueryParameterValue"
    ready.client.delete_task_file("j", "t", "wd/out", recursive=True)
    names = [file.name for file in ready.client.list_task_files("j", "t", recursive=True)]
    assert names == ["stderr.txt", "stdout.txt", "wd"]


def test_files_of_a_task_that_has_not_run(cloud: Any) -> None:
    cloud.job()
    cloud.add("t")
    with pytest.raises(ResourceExistsError) as caught:
        list(cloud.client.list_task_files("j", "t"))
    assert caught.value.error.code == "TaskFilesUnavailable"


def test_files_go_with_their_time_or_their_node(ready: Any) -> None:
    short = m.BatchTaskConstraints(retention_time=timedelta(milliseconds=10))
    ready.run("true", constraints=short)
    path = "/jobs/j/tasks/t/files"
    ready.until(lambda: ready.send("GET", path).status == 409)
    assert ready.send("GET", path).code == "TaskFilesCleanedup"
    ready.run("true", "u")
    ready.client.begin_resize_pool("p", m.BatchPoolResizeOptions(target_dedicated_nodes=0))
    reply = ready.send("GET", "/jobs/j/tasks/u/files")
    assert (reply.status, reply.code) == (409, "TaskFilesUnavailable")


def test_files_of_a_node(ready: Any) -> None:
    ready.run("sh -c 'echo s > $AZ_BATCH_NODE_SHARED_DIR/file'")
    node = ready.nodes()[0].id
    client = ready.client
    names = {file.name for file in client.list_node_files("p", node)}
    assert names == {"fsmounts", "shared", "startup", "workitems"}
    assert b"".join(client.download_node_file("p", node, "shared/file")) == b"s\n"
    assert client.get_node_file_properties("p", node, "shared/file").content_length == 2
    client.delete_node_file("p", node, "shared/file")
    with pytest.raises(ResourceNotFoundError):
        client.get_node_file_properties("p", node, "shared/file")
    everything = {file.name for file in client.list_node_files("p", node, recursive=True)}
    assert "workitems/j/job-1/t/stdout.txt" in everything


def test_temporary_files_go_and_given_ones_stay(make: Any, tmp_path: Path) -> None:
    with Emulator() as emulator:
        folder = emulator.location
        assert folder.is_dir()
    assert not folder.exists()
    cloud = make(Settings(location=tmp_path / "here"))
    cloud.pool()
    cloud.job()
    cloud.run("echo kept")
    cloud.emulator.stop()
    (file,) = (tmp_path / "here").rglob("stdout.txt")
    assert file.read_text() == "kept\n"
