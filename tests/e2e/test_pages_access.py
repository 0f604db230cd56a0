"""How calls find their way in, and how they are refused: base URLs, keys, errors of each surface (contract 1 and 2)."""

from typing import Any

import httpx
import pytest

from tests.e2e.pages import Caller, Json

HELLO = [{"role": "user", "content": "Hello!"}]
CHAT: Json = {"model": "gpt-4o-mini", "messages": HELLO}
MESSAGE: Json = {"model": "claude-haiku-4-5", "messages": HELLO, "max_tokens": 50}
GENERATE: Json = {"contents": [{"parts": [{"text": "Hello!"}]}]}
GOOGLE = "/v1beta/models/gemini-2.5-flash:generateContent"
PATHS = {"/v1/chat/completions": CHAT, "/v1/messages": MESSAGE, GOOGLE: GENERATE}
WRONG = "sk-" + "x" * 48


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions", "/v1/chat/completions/", "/chat/completions", "//v1/chat/completions",
        "/v1//chat/completions", "/v1/v1/chat/completions", "/v1/chat/completions/chat/completions",
    ],
)  # fmt: skip
def test_every_base_url_of_the_quick_start_leads_to_the_chat(caller: Caller, path: str) -> None:
    assert caller.call(path, CHAT).json["object"] == "chat.completion"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/embeddings", {"model": "text-embedding-3-small", "input": "x"}),
        ("/messages", MESSAGE),
        ("/responses", {"model": "gpt-4o-mini", "input": "Hello!"}),
        ("/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "Hello!"}),
        ("/moderations", {"input": "Hello!"}),
    ],
)
def test_other_paths_are_found_without_their_version(caller: Caller, path: str, body: Json) -> None:
    assert caller.send(path, body).status_code == 200


def test_models_are_listed_without_their_version(caller: Caller) -> None:
    answer = httpx.get(f"{caller.yescale.base_url}/models", headers={"Authorization": f"Bearer {caller.key}"})
    assert (answer.status_code, answer.json()["object"]) == (200, "list")


BARE = "{bare}"
CARRIERS: list[tuple[str, Json, str]] = [
    *(
        (path, {"Authorization": form}, "")
        for path in PATHS
        for form in ("Bearer {key}", "{key}", f"Bearer {BARE}", BARE)
    ),
    ("/v1/messages", {"x-api-key": "{key}"}, ""),
    ("/v1/messages", {"x-api-key": "{key}"}, "?beta=true"),
    (GOOGLE, {"x-goog-api-key": "{key}"}, ""),
    (GOOGLE, {}, "?key={key}"),
]


@pytest.mark.parametrize(("path", "headers", "query"), CARRIERS, ids=str)
def test_every_place_of_the_contract_carries_the_key(caller: Caller, path: str, headers: Json, query: str) -> None:
    words = {"key": caller.key, "bare": caller.key.removeprefix("sk-")}
    carried = {name: form.format(**words) for name, form in headers.items()}
    assert caller.send(path + query.format(**words), PATHS[path], carried).status_code == 200


@pytest.mark.parametrize(
    ("path", "headers", "query"),
    [
        ("/v1/chat/completions", {"x-api-key": "{key}"}, ""),
        ("/v1/chat/completions", {}, "?key={key}"),
        ("/v1/messages", {}, "?key={key}"),
        ("/v1/messages", {"x-goog-api-key": "{key}"}, ""),
        (GOOGLE, {"x-api-key": "{key}"}, ""),
    ],
)
def test_no_other_place_does(caller: Caller, path: str, headers: Json, query: str) -> None:
    carried = {name: form.format(key=caller.key) for name, form in headers.items()}
    assert caller.send(path + query.format(key=caller.key), PATHS[path], carried).status_code == 401


def test_two_different_keys_in_one_request_are_refused(caller: Caller) -> None:
    carried = {"Authorization": f"Bearer {caller.key}", "x-api-key": WRONG}
    assert caller.send("/v1/messages", MESSAGE, carried).status_code == 400


def openai_error(answer: httpx.Response) -> tuple[str, Any]:
    """Type and code of an error in OpenAI's shape."""
    (name, error), *rest = answer.json().items()
    assert (name, rest) == ("error", [])
    assert set(error) >= {"message", "type", "param", "code"}
    assert answer.headers["x-request-id"] in error["message"]
    assert answer.headers["X-Oneapi-Request-Id"] == answer.headers["x-request-id"]
    return error["type"], error["code"]


def anthropic_error(answer: httpx.Response) -> str:
    """Type of an error in Anthropic's shape."""
    told = answer.json()
    assert told["type"] == "error"
    assert told["request_id"] == answer.headers["x-request-id"]
    assert told["request_id"] in told["error"]["message"]
    return told["error"]["type"]


def google_error(answer: httpx.Response) -> str:
    """Status word of an error in Google's shape."""
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    assert answer.headers["x-request-id"] in error["message"]
    return error["status"]


@pytest.mark.parametrize(
    ("headers", "code"), [({}, "missing_api_key"), ({"Authorization": f"Bearer {WRONG}"}, "invalid_api_key")]
)
def test_a_missing_or_wrong_key_is_a_401_in_each_shape(caller: Caller, headers: Json, code: str) -> None:
    for path in (
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/moderations",
        "/v1/rerank",
    ):
        answer = caller.send(path, CHAT, headers)
        assert (answer.status_code, openai_error(answer)) == (401, ("authentication_error", code)), path
    answer = caller.send("/v1/messages", MESSAGE, headers)
    assert (answer.status_code, anthropic_error(answer)) == (401, "authentication_error")
    answer = caller.send(GOOGLE, GENERATE, headers)
    assert (answer.status_code, google_error(answer)) == (401, "UNAUTHENTICATED")


def test_an_unknown_model_is_a_404_in_each_shape(caller: Caller) -> None:
    answer = caller.send("/v1/chat/completions", CHAT | {"model": "gpt-99"})
    assert (answer.status_code, openai_error(answer)) == (404, ("not_found_error", "model_not_found"))
    answer = caller.send("/v1/messages", MESSAGE | {"model": "claude-99"}, {"x-api-key": caller.key})
    assert (answer.status_code, anthropic_error(answer)) == (404, "not_found_error")
    answer = caller.send(GOOGLE.replace("2.5", "99"), GENERATE, {"x-goog-api-key": caller.key})
    assert (answer.status_code, google_error(answer)) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": HELLO}, "model"),
        ({"model": "gpt-4o"}, "messages"),
        ({"model": "gpt-4o", "messages": []}, "messages"),
    ],
)
def test_a_missing_field_is_named(caller: Caller, body: Json, param: str) -> None:
    answer = caller.send("/v1/chat/completions", body)
    assert (answer.status_code, openai_error(answer)[0]) == (400, "invalid_request_error")
    assert answer.json()["error"]["param"] == param


def test_malformed_json_is_a_400_in_each_shape(caller: Caller) -> None:
    headers = {"Authorization": f"Bearer {caller.key}", "Content-Type": "application/json"}

    def broken(path: str) -> httpx.Response:
        return httpx.post(caller.yescale.base_url + path, content=b'{"model": ', headers=headers, timeout=30)

    answer = broken("/v1/chat/completions")
    assert (answer.status_code, openai_error(answer)[0]) == (400, "invalid_request_error")
    answer = broken("/v1/messages")
    assert (answer.status_code, anthropic_error(answer)) == (400, "invalid_request_error")
    answer = broken(GOOGLE)
    assert (answer.status_code, google_error(answer)) == (400, "INVALID_ARGUMENT")


def test_an_unknown_path_is_named_with_its_method(caller: Caller) -> None:
    answer = caller.send("/v1/nowhere", {})
    error = answer.json()["error"]
    assert answer.status_code == 404
    assert error["message"].startswith("Invalid URL (POST /v1/nowhere)")
    assert error["type"] in {"invalid_request_error", "not_found_error"}


def test_a_known_path_with_another_method_says_which_it_has(caller: Caller) -> None:
    answer = httpx.get(f"{caller.yescale.base_url}/v1/chat/completions", timeout=30)
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/v1/images/variations", "/v1/files", "/v1/files/f-1/content", "/v1/fine-tunes"])
def test_what_is_not_implemented_says_so(caller: Caller, path: str) -> None:
    answer = caller.send(path, {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "api_not_implemented")
    assert answer.json()["error"]["message"].startswith("API not implemented")


def test_a_call_that_the_provider_refuses_costs_nothing(caller: Caller) -> None:
    answer = caller.send("/v1/chat/completions", CHAT | {"temperature": 3})
    error = answer.json()["error"]  # in the provider's own words
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", "temperature")
    rows = caller.yescale.system(
        "GET", f"/yescale/logs?request_id={answer.headers['x-request-id']}", access_key=caller.access_key
    ).json()["data"]["items"]
    assert all(row["quota"] == 0 for row in rows)
