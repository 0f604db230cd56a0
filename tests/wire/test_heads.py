"""Header lines that cannot be split, targets, hosts, dates, and origins out of URLs."""

from __future__ import annotations

import pytest

from yescale.wire.client import Origin
from yescale.wire.heads import (
    STATUS_LINES,
    Dates,
    content_length,
    header_line,
    origin_form,
    plausible_host,
    request_line,
)


def test_a_header_line_is_written_as_given() -> None:
    assert header_line(b"x-a", b"b c\t\xff") == b"x-a: b c\t\xff\r\n"
    assert header_line(b"x-a", b"") == b"x-a: \r\n"


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r", b"a\n", b"\xff", b"(a)"])
def test_a_bad_header_name_is_refused(name: bytes) -> None:
    with pytest.raises(ValueError, match="not a header name"):
        header_line(name, b"x")


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"a\n", b"a\r", b"a\0", b"\n", b"a\r\n\r\nGET /"])
def test_a_header_value_cannot_begin_another_line(value: bytes) -> None:
    with pytest.raises(ValueError, match="line break or NUL"):
        header_line(b"x-a", value)


def test_a_refused_header_value_is_not_in_the_error() -> None:
    with pytest.raises(ValueError, match="authorization") as caught:
        header_line(b"authorization", b"Bearer secret\n")
    assert "secret" not in str(caught.value)


def test_a_request_line_is_written_as_given() -> None:
    assert request_line(b"POST", b"/v1?a=b") == b"POST /v1?a=b HTTP/1.1\r\n"


@pytest.mark.parametrize("target", [b"", b"/a b", b"/a\r\n", b"/\0", b"/\xc3\xa9", b"/a\tb"])
def test_a_target_cannot_end_the_request_line(target: bytes) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        request_line(b"GET", target)


@pytest.mark.parametrize("method", [b"", b"GET /", b"GET\r\n"])
def test_a_method_is_a_token(method: bytes) -> None:
    with pytest.raises(ValueError, match="not a method"):
        request_line(method, b"/")


@pytest.mark.parametrize(
    ("target", "form"),
    [
        (b"/", b"/"),
        (b"//evil/x", b"//evil/x"),
        (b"/a?b=http://c", b"/a?b=http://c"),
        (b"http://a", b"/"),
        (b"HTTPS://a:1/b?c", b"/b?c"),
        (b"http://a?b", b"/?b"),
        (b"http://", None),
        (b"http:///a", None),
        (b"http://a@b/", None),
        (b"a/b", None),
        (b"*", None),
        (b"/a#b", None),
        (b"http://a/#b", None),
    ],
)
def test_a_target_is_reduced_to_a_path_or_refused(target: bytes, form: bytes | None) -> None:
    assert origin_form(b"GET", target) == form


def test_a_star_is_a_target_of_options_alone() -> None:
    assert origin_form(b"OPTIONS", b"*") == b"*"


@pytest.mark.parametrize("host", [b"a", b"a.b-c_d:80", b"[::1]:80", b"127.0.0.1", b"xn--a~"])
def test_a_plausible_host(host: bytes) -> None:
    assert plausible_host(host)


@pytest.mark.parametrize("host", [b"", b"a/b", b"a?b", b"a#b", b"a@b", b"a b", b"a,b", b"a\\b", b"\xff", b"a%2f"])
def test_an_implausible_host(host: bytes) -> None:
    assert not plausible_host(host)


@pytest.mark.parametrize(
    ("value", "length"),
    [
        (b"0", 0),
        (b"12 ", 12),
        (b"007", 7),
        (b"", None),
        (b"+1", None),
        (b"1_0", None),
        (b"9" * 19, None),
        (b"1\n", None),
    ],
)
def test_a_content_length_is_plain_digits(value: bytes, length: int | None) -> None:
    assert content_length(value) == length


def test_every_status_has_a_line() -> None:
    assert STATUS_LINES[200] == b"HTTP/1.1 200 OK\r\n"
    assert STATUS_LINES[529] == b"HTTP/1.1 529 \r\n"
    assert len(STATUS_LINES) == 1000


def test_the_date_is_made_once_a_second() -> None:
    now = [100.0]
    wall = [1_800_000_000.75]
    dates = Dates(lambda: now[0], lambda: wall[0])
    assert dates.line() == b"date: Fri, 15 Jan 2027 08:00:00 GMT\r\n"
    wall[0] += 10
    now[0] = 100.24
    assert dates.line() == b"date: Fri, 15 Jan 2027 08:00:00 GMT\r\n"
    now[0] = 100.25
    assert dates.line() == b"date: Fri, 15 Jan 2027 08:00:10 GMT\r\n"


@pytest.mark.parametrize(
    ("url", "origin", "base", "authority"),
    [
        ("http://a", Origin("http", "a", 80), "", b"a"),
        ("https://Api.Example.COM/v1/", Origin("https", "api.example.com", 443), "/v1", b"api.example.com"),
        ("http://127.0.0.1:8080/x/y", Origin("http", "127.0.0.1", 8080), "/x/y", b"127.0.0.1:8080"),
        ("https://[::1]:443", Origin("https", "::1", 443), "", b"[::1]"),
        ("http://[::1]:81/", Origin("http", "::1", 81), "", b"[::1]:81"),
        ("unix:/run/a%20b.sock", Origin("unix", "localhost", 0, "/run/a b.sock"), "", b"localhost"),
        ("unix:///run/x.sock", Origin("unix", "localhost", 0, "/run/x.sock"), "", b"localhost"),
    ],
)
def test_an_origin_is_read_from_a_url(url: str, origin: Origin, base: str, authority: bytes) -> None:
    assert Origin.parse(url) == (origin, base)
    assert origin.authority == authority
    assert hash(origin) == hash(Origin.parse(url)[0])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://a", "must begin"),
        ("a.example/v1", "must begin"),
        ("", "must begin"),
        ("http://u:p@a/", "user name"),
        ("http://@a/", "user name"),
        ("http://a/?x", "no query"),
        ("http://a/?", "no query"),
        ("http://a/#x", "no query"),
        ("http://a#", "no query"),
        ("http://", "no valid host"),
        ("http://:80", "no valid host"),
        ("http://a\\b", "no valid host"),
        ("http://a%2fb", "no valid host"),
        ("http://a:0", "out of range"),
        ("http://a:65536", "out of range"),
        ("http://a:b", "cast to integer"),
        ("http://a b", "escape it"),
        ("http://a\r\nb", "escape it"),
        ("http://é", "escape it"),
        ("unix:run/x", "absolute"),
        ("unix://host/x", "absolute"),
    ],
)
def test_a_url_that_is_no_origin_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Origin.parse(url)
