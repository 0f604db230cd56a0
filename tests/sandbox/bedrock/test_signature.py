"""Only what is signed as it should be, just now, with the key that is known, is heard."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox.bedrock.conftest import CLAUDE, signed
from yescale_sandbox.bedrock.refusal import RefusedError
from yescale_sandbox.bedrock.signature import verified_key
from yescale_sandbox.exchange import Request

BODY = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
PATH = f"/bedrock/model/{CLAUDE.replace(':', '%3A')}/converse"


def heard(request: Any, **changes: Any) -> Request:
    """The request as it arrives."""
    headers = {name.lower(): value for name, value in request.headers.items()} | {"host": "sandbox.invalid"}
    path, _, query = request.url.removeprefix("http://sandbox.invalid").partition("?")
    parts = {"path": path, "query": query, "body": request.data.encode(), "headers": headers, **changes}
    return Request(request.method, parts["path"], parts["query"], parts["headers"], parts["body"])


def url(query: str = "") -> str:
    return f"http://sandbox.invalid{PATH}{query}"


def now(shift: timedelta = timedelta()) -> datetime:
    return datetime.now(UTC) + shift


@pytest.mark.parametrize("query", ["", "?b=2&a=1&a=0&c", "?a=b%20c%2F~"])
def test_what_botocore_signs_is_taken(query: str) -> None:
    assert verified_key(heard(signed(url(query), BODY)), now()) == "AKIASANDBOX000000000"


def test_whatever_is_changed_after_the_signing_is_refused() -> None:
    request = signed(url(), BODY)
    good = heard(request)
    authorization = good.headers["authorization"]
    changes: list[dict[str, Any]] = [
        {"body": b"{}"},
        {"path": PATH.replace("converse", "invoke")},
        {"query": "a=1"},
        {"headers": {**good.headers, "host": "other.invalid"}},
        {"headers": {**good.headers, "content-type": "text/plain"}},
        {"headers": {**good.headers, "authorization": authorization.replace("us-east-1", "us-east-2")}},
        {"headers": {**good.headers, "authorization": authorization[:-1] + ("0" if authorization[-1] != "0" else "1")}},
    ]
    for change in changes:
        with pytest.raises(RefusedError, match="The request signature we calculated does not match") as refused:
            verified_key(heard(request, **change), now())
        assert (refused.value.kind, refused.value.status) == ("InvalidSignatureException", 403)


def test_a_signature_that_leaves_out_the_host_or_the_date_is_refused() -> None:
    good = heard(signed(url(), BODY))
    for name in ("host;", ";x-amz-date"):
        headers = {**good.headers, "authorization": good.headers["authorization"].replace(name, "")}
        with pytest.raises(RefusedError, match="must be a 'SignedHeader'"):
            verified_key(Request("POST", good.path, "", headers, good.body), now())


@pytest.mark.parametrize(
    ("shift", "words"), [(timedelta(minutes=6), "Signature expired"), (timedelta(minutes=-6), "not yet current")]
)
def test_an_old_or_early_date_is_refused(shift: timedelta, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        verified_key(heard(signed(url(), BODY)), now(shift))
    assert verified_key(heard(signed(url(), BODY)), now(shift / 2))


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"key": "AKIAOTHER00000000000"}, "UnrecognizedClientException"),
        ({"secret": "other"}, "InvalidSignatureException"),
        ({"service": "s3"}, "InvalidSignatureException"),
    ],
)
def test_other_keys_and_services_are_refused(options: dict[str, str], kind: str) -> None:
    with pytest.raises(RefusedError) as refused:
        verified_key(heard(signed(url(), BODY, **options)), now())
    assert refused.value.kind == kind


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({}, "MissingAuthenticationTokenException"),
        ({"authorization": "AWS4-HMAC-SHA256 Credential=x"}, "IncompleteSignatureException"),
        ({"authorization": "Basic eDp5"}, "IncompleteSignatureException"),
        ({"authorization": "Bearer other"}, "AccessDeniedException"),
    ],
)
def test_without_a_good_credential_the_answer_is_403(sandbox_url: str, headers: dict[str, str], kind: str) -> None:
    answer = httpx.post(f"{sandbox_url}{PATH}", json=BODY, headers=headers)
    assert answer.status_code == 403
    assert answer.headers["x-amzn-errortype"].startswith(f"{kind}:")
    assert set(answer.json()) == {"message"}


def test_a_date_that_is_none_or_of_another_day_is_refused() -> None:
    request = heard(signed(url(), BODY))
    for stamp in ("yesterday", "20200101T000000Z"):
        with pytest.raises(RefusedError):
            verified_key(
                Request("POST", request.path, "", {**request.headers, "x-amz-date": stamp}, request.body), now()
            )


def test_paths_and_bodies_that_are_none_are_refused(http: httpx.Client) -> None:
    assert http.post("/bedrock/model/x/elsewhere", json={}).status_code == 404
    assert http.get(PATH).status_code == 404
    for broken in (b"{", b"[]", b"\xff", b"[" * 100_000):
        assert http.post(PATH, content=broken).headers["x-amzn-errortype"].startswith("SerializationException:")
