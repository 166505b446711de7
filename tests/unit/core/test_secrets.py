"""The one redactor, and texts of others as they may be shown."""

from __future__ import annotations

import pytest

from pyveg.core import secrets, texts
from pyveg.core.errors import ConfigError, DataError
from pyveg.core.execute import describe

TOKEN = "s3cr3tT0ken12345678"


@pytest.mark.parametrize(
    "text",
    [
        f"https://{TOKEN}@github.com/a/b.git",
        f"https://user:{TOKEN}@github.com/a/b.git",
        f"s3://key:{TOKEN}@bucket/x",
        f"git+https://{TOKEN}@host/x",
        f"https://x.blob.core.windows.net/c/b?sv=2021&se=2030&sig={TOKEN}",
        f"https://x/c?sv=1;sig={TOKEN}&x=2",
        f"https://bucket.s3.amazonaws.com/k?X-Amz-Signature={TOKEN}&X-Amz-Expires=60",
        f"https://x/y?access_token={TOKEN}",
        f"https://x/y?api_key={TOKEN}",
        f"https://x/y?a=1&TOKEN={TOKEN}",
        f"https%3A%2F%2Fx%3Fsig%3D{TOKEN}",
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={TOKEN}==;EndpointSuffix=x",
        f"https://maps/?key={TOKEN}abc",
        f"Authorization: Bearer {TOKEN}",
        f"authorization: SharedKey account:{TOKEN}",
        f"https://x/y#access_token={TOKEN}",
        f"https://user:a@{TOKEN}@host/x",
        f"https://user:{TOKEN}/w@host/x",
        f"//user:{TOKEN}@host/x",
        f"there is no file /home/me/s3:/user:{TOKEN}@bucket",
        f"{{'password': '{TOKEN}'}}",
        f'{{"sig": "{TOKEN}"}}',
        f'{{\\"client_secret\\": \\"{TOKEN}\\"}}',
        f"X-Api-Key: {TOKEN}",
        f"AWS_SECRET_ACCESS_KEY={TOKEN}",
        f"aws_secret_access_key = {TOKEN}",
        f"Ocp-Apim-Subscription-Key: {TOKEN}",
        f"password: {TOKEN}",
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{TOKEN}",
        f"sk-proj-{TOKEN}",
    ],
)
def test_secrets_are_found_by_their_form(text: str) -> None:
    assert secrets.has_secret(text)
    assert TOKEN not in secrets.redacted(f"before {text} behind")
    assert secrets.redacted(secrets.redacted(text)) == secrets.redacted(text)
    assert TOKEN not in str(DataError(f"cannot read {text}", f"look at {text}"))
    assert TOKEN not in describe(OSError(text))


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:a/b.git",
        "ssh://git@github.com/a/b.git",
        "abfs://container@account.dfs.core.windows.net/x",
        "https://x/y?date=2020-01-01&band=red&key=B4",
        "https://example.org/mail/a@b.c",
        "a bearer of good news, and a basic idea",
        "signal = vegetation; token of thanks",
        "s3://bucket/key=value/part.csv",
        "token = os.environ['EE_TOKEN1']",
        "password = getpass.getpass1()",
        "https://host:8080/x@y",
        "http://[::1]:80/x@y",
        "n_tokens = 12345678",
        "fingerprint = 0123456789abcdef",
        "storage_account_key = ''",
        "secrets/token-2020-01-01.tif",
        "secret: no, access_key: none",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert secrets.redacted(text) == text


@pytest.mark.parametrize(
    ("begin", "piece"),
    [("", piece) for piece in ("a", "token", "pass=", "//", "a:", "x://", "sig=", "eyJ", '"', "@")]
    + [("authorization: ", "a"), ("http://", "a:"), ("//a:", "b"), ("bearer", " "), ("sk-", "-")],
)
def test_a_long_text_takes_no_longer_than_its_length(begin: str, piece: str) -> None:
    """One that took the square of it would not end within the time that a test has."""
    assert secrets.redacted(begin + piece * (100_000 // len(piece)))


def test_what_this_process_knows_is_taken_out_wherever_it_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(secrets, "_known", set())
    secrets.know(TOKEN, "short")
    assert secrets.redacted(f"a{TOKEN}b short") == "a***b short"
    assert secrets.holds_secret(f"key = '{TOKEN}'".encode())
    assert not secrets.holds_secret(b"short")


def test_secrets_of_the_environment_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_seen", (float("-inf"), frozenset()))
    monkeypatch.setenv("MY_SERVICE_TOKEN", TOKEN)
    monkeypatch.setenv("MY_HOME", "/somewhere/else/123")
    monkeypatch.setenv("MODE_KEY", "production")
    assert secrets.redacted(f"it said {TOKEN} production") == "it said *** production"
    monkeypatch.setattr(secrets, "_seen", (float("-inf"), frozenset()))


@pytest.mark.parametrize("kind", ["RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "])
def test_a_private_key_is_known_by_its_first_line(kind: str) -> None:
    assert secrets.holds_secret(f"x\n-----BEGIN {kind}PRIVATE KEY-----\nMII".encode())
    assert not secrets.holds_secret(b"-----BEGIN CERTIFICATE-----")


def test_texts_of_others_have_no_escapes_and_no_formulas() -> None:
    assert texts.shown("a\x1b[31m\x07\u202eb\nc") == "a\\x1b[31m\\x07\\u202eb\\nc"
    for formula in ("=1+1", "+A1", "-cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1"):
        assert not texts.cell(formula).startswith(("=", "+", "-", "@", "\t", "\r"))
        assert not texts.cell(f"\n{formula}").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert [texts.cell(text) for text in ("-3.5", "+1e3", "a=b", "Übung")] == [
        "-3.5", "+1e3", "a=b", "Übung",
    ]  # fmt: skip


def test_an_error_whose_text_fails_is_told_by_its_kind() -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert texts.said(OddError()) == "OddError"
    assert describe(OddError()) == "OddError"
    assert len(describe(ValueError("x" * 10**6))) < 700
    assert "\x1b" not in describe(ValueError("\x1b[2J"))


def test_messages_are_cut() -> None:
    error = ConfigError("x" * 10**6, "y" * 10**6)
    assert len(str(error)) < 1_200


@pytest.mark.parametrize("length", [0, 900, 1100, 4_900, 5_100, 100_000])
@pytest.mark.parametrize("place", [0.0, 0.24, 0.26, 0.5, 0.9, 1.0])
def test_the_ends_of_a_long_text_hold_no_secret(length: int, place: float) -> None:
    """Wherever the text is cut; what is short is as `cut` has it."""
    at = int(place * length)
    text = f"{'x' * at} https://x/y?sig=S3cretS3cret&z=1 {'y' * (length - at)}"
    kept = secrets.redacted_ends(text, 1000)
    assert "S3cret" not in kept
    assert "3cretS" not in kept
    assert len(kept) < 1100
    if len(text) <= 1000:
        assert kept == secrets.redacted(text)
