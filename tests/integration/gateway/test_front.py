"""What the front answers itself, and what goes to control."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.integration.gateway.control import KEY, key_record
from tests.integration.gateway.rig import Answer, Rig
from yescale.domain.ids import ModelName
from yescale.gateway.worker import Worker

CHAT = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}).encode()


async def ask(rig: Rig, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    client = await rig.client()
    client.send(method, path, body, **headers)
    return await client.answer(body=method != "HEAD")


async def post(rig: Rig, body: bytes, coding: str) -> Answer:
    return await ask(
        rig, "POST", "/v1/chat/completions", body, content_encoding=coding, authorization=f"Bearer sk-{KEY}"
    )


async def test_healthz_answers(rig: Rig) -> None:
    answer = await ask(rig, "GET", "/healthz")
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    assert (await ask(rig, "HEAD", "/healthz")).status == 200


async def test_a_preflight_allows_every_origin_and_names_authorization(rig: Rig) -> None:
    answer = await ask(rig, "OPTIONS", "/v1/chat/completions", origin="https://a.example")
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert (await rig.call()).headers["access-control-allow-origin"] == "*"


async def test_a_wrong_method_names_the_right_ones(rig: Rig) -> None:
    answer = await ask(rig, "GET", "/v1/chat/completions")
    assert (answer.status, answer.headers["allow"]) == (405, "POST, OPTIONS")
    assert answer.json["error"]["code"] == "method_not_allowed"


async def test_an_encoded_body_is_refused(rig: Rig) -> None:
    answer = await ask(rig, "POST", "/v1/chat/completions", b"x", content_encoding="br")
    assert (answer.status, answer.json["error"]["code"]) == (415, "unsupported_content_encoding")


@pytest.mark.parametrize(
    ("coding", "packed"), [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress)]
)
async def test_a_compressed_body_is_read(rig: Rig, coding: str, packed: Callable[[bytes], bytes]) -> None:
    answer = await post(rig, packed(CHAT), coding)
    assert answer.status == 200
    assert rig.first.visits[0].json["messages"] == json.loads(CHAT)["messages"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(b" " * (16 * 1024 * 1024)), 413),
        (gzip.compress(CHAT)[:-3], 400),
        (gzip.compress(CHAT) + b"more", 400),
        (zlib.compress(CHAT), 400),
        (b"", 400),
    ],
    ids=["a bomb", "cut off", "followed", "another coding", "empty"],
)
async def test_a_compressed_body_that_is_none_or_too_large_reaches_nobody(rig: Rig, body: bytes, status: int) -> None:
    answer = await post(rig, body, "gzip")
    assert answer.status == status
    assert rig.first.visits == rig.second.visits == []


async def test_an_unknown_path_is_controls_to_answer(rig: Rig) -> None:
    answer = await ask(
        rig, "DELETE", "/v2/%2e%2e/x?a=b", cookie="c=d", x_forwarded_for="1.2.3.4", x_internal="yes",
        authorization="Bearer access",
    )  # fmt: skip
    assert (answer.status, answer.body) == (404, b"control answers")
    assert answer.headers["set-cookie"] == "a=b"
    assert answer.headers["x-request-id"] == answer.headers["x-oneapi-request-id"]
    assert "access-control-allow-origin" not in answer.headers
    (seen,) = rig.control.asked
    assert seen.startswith(b"DELETE /v2/%2e%2e/x?a=b HTTP/1.1\r\n")
    assert b"cookie: c=d\r\n" in seen
    assert b"host: yescale\r\n" in seen
    assert b"x-forwarded-for: 127.0.0.1\r\n" in seen
    assert b"1.2.3.4" not in seen
    assert b"x-internal" not in seen


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [("203.0.113.9", 200), ("203.0.113.9, 198.51.100.1", 403), ("198.51.100.1", 403), ("", 403)],
)
async def test_a_trusted_proxy_says_who_calls(tmp_path: Path, forwarded: str, status: int) -> None:
    """For a key's addresses, for the log, for control; sessions are asked the same way."""
    rig = Rig(tmp_path)
    server = msgspec.structs.replace(rig.settings.server, trusted_proxies="127.0.0.0/8")
    rig.settings = msgspec.structs.replace(rig.settings, server=server)
    rig.worker = Worker(rig.settings, 0)
    async with rig:
        rig.control.keys[KEY] = key_record(allow_ips=("203.0.113.0/24",))
        headers = {"authorization": f"Bearer sk-{KEY}"} | ({"x_forwarded_for": forwarded} if forwarded else {})
        answer = await ask(rig, "POST", "/v1/chat/completions", CHAT, **headers)
        assert answer.status == status
        assert (await ask(rig, "GET", "/v1/models", b"", **headers)).status == status
        await ask(rig, "GET", "/yescale/user", b"", **headers)
        told = forwarded.rpartition(",")[2].strip() or "127.0.0.1"
        assert f"x-forwarded-for: {told}\r\n".encode() in rig.control.asked[-1]
        if status == 200:
            assert (await rig.end()).ip == told


async def test_without_trusted_proxies_nobody_is_believed(rig: Rig) -> None:
    rig.control.keys[KEY] = key_record(allow_ips=("203.0.113.0/24",))
    headers = {"x_forwarded_for": "203.0.113.9", "forwarded": "for=203.0.113.9", "x_real_ip": "203.0.113.9"}
    answer = await ask(rig, "POST", "/v1/chat/completions", CHAT, authorization=f"Bearer sk-{KEY}", **headers)
    assert (answer.status, answer.json["error"]["code"]) == (403, "ip_not_allowed")


async def test_without_control_other_paths_say_so(rig: Rig) -> None:
    await rig.control.stop()
    answer = await ask(rig, "GET", "/yescale/user")
    assert (answer.status, answer.json["error"]["code"]) == (503, "temporarily_unavailable")
    assert answer.json["success"] is False
    assert "retry-after" in answer.headers


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [("", 401, "missing_api_key"), ("Bearer sk-" + "x" * 48, 401, "invalid_api_key"), ("sk-é", 401, "invalid_api_key")],
)
async def test_a_stranger_is_refused_and_leaves_no_line(rig: Rig, authorization: str, status: int, code: str) -> None:
    answer = await ask(rig, "POST", "/v1/chat/completions", b"{}", authorization=authorization)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    await asyncio.sleep(0.2)
    assert rig.refusals == []


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"status": 2}, 401, "key_disabled"),
        ({"account_status": 2}, 403, "account_disabled"),
        ({"allow_ips": ("10.0.0.1",)}, 403, "ip_not_allowed"),
        ({"models": ("other",)}, 403, "model_not_allowed"),
        ({"group": "vip"}, 403, "model_not_allowed"),
        ({"group": "gone"}, 403, "model_not_allowed"),
    ],
)
async def test_a_known_key_that_may_not_leaves_a_line(
    rig: Rig, changes: dict[str, object], status: int, code: str
) -> None:
    rig.control.keys[KEY] = key_record(**changes)
    answer = await rig.call()
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    await rig.until(lambda: rig.refusals == [code])
    assert rig.first.visits == []


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [("gpt-4x", 404, "model_not_found"), ("free", 503, "model_not_priced"), ("embed-1", 400, "invalid_request")],
)
async def test_a_model_that_cannot_be_called_is_named(rig: Rig, model: str, status: int, code: str) -> None:
    answer = await rig.call(model=model)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    if status == 404:
        assert "gpt-4o" in answer.json["error"]["message"]
    await rig.until(lambda: rig.control.unpriced == (["free"] if model == "free" else []))


async def test_a_malformed_body_names_the_place(rig: Rig) -> None:
    client = await rig.client()
    client.send("POST", "/v1/chat/completions", b'{"model": gpt}', authorization=f"sk-{KEY}")
    answer = await client.answer()
    assert answer.status == 400
    assert "byte 10" in answer.json["error"]["message"]
    assert answer.headers["x-request-id"] in answer.json["error"]["message"]


async def test_a_body_over_the_limit_is_refused(rig: Rig) -> None:
    client = await rig.client()
    client.send("POST", "/v1/chat/completions", b"", authorization=f"sk-{KEY}", content_length=str(10**9))
    assert (await client.head())[0] in (400, 413)  # two lengths, or too long: both end it


async def test_the_model_list_is_what_the_key_may_use(rig: Rig) -> None:
    answer = await ask(rig, "GET", "/models/", authorization=f"sk-{KEY}")
    assert answer.json["object"] == "list"
    entry = next(entry for entry in answer.json["data"] if entry["id"] == "gpt-4o")
    assert {"object": "model", "owned_by": "openai", "created": 1, "context_length": 128_000}.items() <= entry.items()
    assert {"meter": "input_tokens", "per": 1_000_000, "usd": "1", "when": []} in entry["prices"]
    rig.control.keys["m" * 48] = key_record(models=(ModelName("alias"),))
    answer = await ask(rig, "GET", "/v1/models", x_api_key="sk-" + "m" * 48)
    assert [entry["id"] for entry in answer.json["data"]] == ["alias"]


async def test_one_model_is_shown_or_not_found(rig: Rig) -> None:
    assert (await ask(rig, "GET", "/v1/models/gpt%2D4o", authorization=KEY)).json["id"] == "gpt-4o"
    answer = await ask(rig, "GET", "/v1/models/gpt-9", authorization=KEY)
    assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found")
    assert (await ask(rig, "GET", "/v1/models")).status == 401


async def test_five_hundred_streams_do_not_mix(rig: Rig) -> None:
    """Promise 38."""

    async def echo(visit) -> None:
        text = visit.json["messages"][0]["content"]
        await visit.stream()
        for _ in range(3):
            await visit.chunk(b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % text.encode())
            await asyncio.sleep(0.01)
        await visit.chunk(b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\ndata: [DONE]\n\n')
        await visit.end()

    rig.first.script = echo

    async def one(number: int) -> None:
        answer = await rig.call(stream=True, messages=[{"role": "user", "content": f"marker-{number}-"}])
        said = {json.loads(e)["choices"][0]["delta"]["content"] for e in answer.events[:-1]}
        assert said == {f"marker-{number}-"}

    await asyncio.gather(*(one(number) for number in range(500)))
    assert len({end.id for end in rig.ends}) == 500


async def list_models(rig: Rig, path: str, **headers: str) -> Answer:
    return await ask(rig, "GET", path, b"", **headers)


async def test_the_list_of_models_comes_in_the_shape_of_the_client(rig: Rig) -> None:
    openai = (await list_models(rig, "/v1/models", authorization=f"Bearer sk-{KEY}")).json
    names = [entry["id"] for entry in openai["data"]]
    assert openai["object"] == "list"
    assert "gpt-4o" in names
    more = {"x_api_key": f"sk-{KEY}", "anthropic_version": "2023-06-01"}
    anthropic = (await list_models(rig, "/v1/models", **more)).json
    assert [entry["id"] for entry in anthropic["data"]] == names
    assert (anthropic["first_id"], anthropic["last_id"], anthropic["has_more"]) == (names[0], names[-1], False)
    google = (await list_models(rig, f"/v1beta/models?key=sk-{KEY}")).json
    assert [entry["name"] for entry in google["models"]] == [f"models/{name}" for name in names]
    one = (await list_models(rig, "/v1beta/models/gpt-4o", x_goog_api_key=KEY)).json
    assert (one["name"], "generateContent" in one["supportedGenerationMethods"]) == ("models/gpt-4o", True)


async def test_pages_of_models_follow_one_another(rig: Rig) -> None:
    google = {"x_goog_api_key": KEY}
    first = (await list_models(rig, "/v1beta/models?pageSize=1", **google)).json
    rest = (await list_models(rig, f"/v1beta/models?pageSize=100&pageToken={first['nextPageToken']}", **google)).json
    whole = (await list_models(rig, "/v1beta/models", **google)).json
    assert first["models"] + rest["models"] == whole["models"]
    assert rest["nextPageToken"] is None
    anthropic = {"x_api_key": KEY, "anthropic_version": "2023-06-01"}
    last = whole["models"][-1]["name"].removeprefix("models/")
    before = (await list_models(rig, f"/v1/models?limit=1&before_id={last}", **anthropic)).json
    assert [entry["id"] for entry in before["data"]] == [whole["models"][-2]["name"].removeprefix("models/")]
    assert before["has_more"] is True
    wrong = await list_models(rig, "/v1/models?limit=x", **anthropic)
    assert (wrong.status, wrong.json["error"]["type"]) == (400, "invalid_request_error")
    assert wrong.json["type"] == "error"
    assert "'limit'" in wrong.json["error"]["message"]


async def test_a_key_in_the_query_counts_only_where_google_has_it(rig: Rig) -> None:
    assert (await list_models(rig, f"/v1/models?key=sk-{KEY}")).status == 401
    both = await list_models(rig, "/v1beta/models?key=sk-" + "x" * 48, x_goog_api_key=KEY)
    assert (both.status, both.json["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert "two different API keys" in both.json["error"]["message"]


async def test_an_unknown_path_is_refused_in_the_words_of_its_family(rig: Rig) -> None:
    google = await ask(rig, "POST", "/v1beta/tunedModels/x:generateContent", CHAT, x_goog_api_key=KEY)
    assert (google.status, google.json["error"]["status"]) == (404, "NOT_FOUND")
    assert "POST /v1beta/tunedModels/x:generateContent" in google.json["error"]["message"]
    anthropic = await ask(rig, "GET", "/v1/messages/batches", x_api_key=KEY)
    assert (anthropic.status, anthropic.json["type"]) == (404, "error")
    assert anthropic.json["error"]["type"] == "not_found_error"
    assert rig.control.asked == []
