"""Who may see and do what over HTTP: the matrix of credentials and routes, and what tries to slip past it."""

import re
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from tests.integration.control.house import House, bearer, open_house
from tests.integration.control.parties import make_party, read_rows
from tests.postgres import running
from yescale.control import system_api
from yescale.store.tables import accounts, channels, keys

ROUTES = [
    ("GET", "user", {}),
    ("GET", "apikeylist", {}),
    ("DELETE", "deletekey/1", {}),
    ("PUT", "editquota/1", {"json": {"remain_quota": 1}}),
    ("GET", "task", {"params": {"start_timestamp": 0, "end_timestamp": 1}}),
    ("GET", "logs", {}),
    ("GET", "models", {}),
    ("GET", "models/list", {}),
    ("POST", "createkey", {"json": {"name": "x"}}),
    ("GET", "usage", {}),
    ("POST", "quote", {"json": {"model": "gpt-4o", "usage": {}}}),
]


def test_the_matrix_names_every_route() -> None:
    named = {(method, "/yescale/" + re.sub(r"/1$", "/{key_id}", path)) for method, path, _ in ROUTES}
    routes = [route for route in system_api.router.routes if isinstance(route, APIRoute)]
    assert named == {(method, route.path) for route in routes for method in route.methods or ()}


async def answers(house: House, header: dict[str, str], **more: str) -> dict[str, httpx.Response]:
    return {
        f"{method} {path}": await house.client.request(method, f"/yescale/{path}", headers=header | more, **arguments)
        for method, path, arguments in ROUTES
    }


async def test_no_route_opens_without_an_access_key(house: House) -> None:
    access_key, api_key = house.note["access_key"], house.note["api_key"]
    for header in (
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        bearer(access_key[:-1]),
        bearer(access_key + "x"),
        bearer(access_key.swapcase()),
        bearer(api_key),
        bearer(api_key.removeprefix("sk-")),
        bearer("' OR '1'='1' --"),
        bearer("%"),
        bearer("x" * 5_000),
        {"Access-Key": access_key},
        {"x-api-key": access_key},
        {"Authorization": f"Basic {access_key}"},
    ):
        for route, answer in (await answers(house, header)).items():
            assert answer.status_code == 401, (route, header)
            assert answer.json()["success"] is False
            assert set(answer.json()) == {"success", "message"}
    assert (await house.get("apikeylist")).json()["data"][0]["name"] == "demo"


async def test_no_host_header_or_second_path_opens_a_route(house: House) -> None:
    """A Host of `x/?` changed the URL that a check looked at (promises B, CVE-2026-49468, CVE-2026-48710)."""
    for host in ("x/healthz?", "x/#", "x/openapi.json?", "yescale/healthz?x="):
        for route, answer in (await answers(house, {"Host": host, "X-Original-URL": "/healthz"})).items():
            assert answer.status_code == 401, (route, host)
    for path in ("/healthz/../yescale/user", "//yescale/user", "/yescale//user", "/yescale/user/", "/%79escale/user;x"):
        answer = await house.client.send(house.client.build_request("GET", f"http://yescale{path}"))
        assert answer.status_code in (401, 404), path


async def test_the_word_bearer_may_be_missing_or_written_otherwise(house: House) -> None:
    for value in ("{}", "bearer {}", "BEARER  {}"):
        header = {"Authorization": value.format(house.note["access_key"])}
        assert (await house.client.get("/yescale/user", headers=header)).status_code == 200


async def test_a_disabled_account_is_403_on_every_route_and_enabled_again_on_none(house: House) -> None:
    await house.operate("user disable", username="demo")
    for route, answer in (await answers(house, bearer(house.note["access_key"]))).items():
        assert (answer.status_code, answer.json()["success"]) == (403, False), route
    await house.operate("user enable", username="demo")
    assert (await house.get("user")).status_code == 200


async def test_an_access_key_that_was_replaced_opens_nothing(house: House) -> None:
    old = house.note["access_key"]
    new = (await house.operate("user access-key", username="demo"))["access_key"]
    assert (await house.call("GET", "user", old)).status_code == 401
    assert (await house.call("GET", "user", new)).status_code == 200


async def test_someone_elses_rows_are_as_unknown_as_none(house: House) -> None:
    """Object-level authorisation (promises B, team IDOR of CVE-2026-12795)."""
    other = await house.operate("user create", username="mallory")
    mine = (await house.get("apikeylist")).json()["data"][0]
    for key_id in (mine["id"], 999_999):
        for method, path, more in (
            ("DELETE", f"deletekey/{key_id}", {}),
            ("PUT", f"editquota/{key_id}", {"json": {"remain_quota": 1}}),
        ):
            answer = await house.call(method, path, other["access_key"], **more)
            assert (answer.status_code, answer.json()["success"]) == (404, False)
    assert (await house.get("apikeylist")).json()["data"] == [mine]
    assert (await house.call("GET", "apikeylist", other["access_key"])).json()["data"] == []
    logs = (await house.call("GET", "logs", other["access_key"], params={"username": "demo"})).json()["data"]
    assert logs["total"] == 0


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "x", "9223372036854775808", "1%00", "1%20OR%201=1", "..%2Fuser"])
async def test_a_number_in_the_path_is_a_number(house: House, number: str) -> None:
    for method, path, body in (("DELETE", "deletekey", None), ("PUT", "editquota", {"remain_quota": 1})):
        answer = await house.call(method, f"{path}/{number}", json=body)
        assert answer.status_code in (400, 404), number
    assert len((await house.get("apikeylist")).json()["data"]) == 1


@pytest.mark.parametrize(
    ("path", "wrong", "named"),
    [
        ("logs", {"page_size": 0}, "page_size"),
        ("logs", {"page_size": 10_001}, "page_size"),
        ("logs", {"p": "x"}, "p"),
        ("logs", {"p": 10**30}, "p"),
        ("logs", {"type": 7}, "type"),
        ("logs", {"start_timestamp": "now"}, "start_timestamp"),
        ("logs", {"end_timestamp": 10**19}, "end_timestamp"),
        ("logs", {"model_name": "a\x00b"}, "model_name"),
        ("logs", {"token_name": "x" * 300}, "token_name"),
        ("apikeylist", {"keyword": "a\x00b"}, "keyword"),
        ("task", {}, "start_timestamp"),
        ("task", {"start_timestamp": 1}, "end_timestamp"),
        ("task", {"start_timestamp": 1, "end_timestamp": "b"}, "end_timestamp"),
        ("task", {"start_timestamp": 1, "end_timestamp": 2, "task_id": "\x00"}, "task_id"),
        ("usage", {"group_by": "account; DROP TABLE calls"}, "group_by"),
    ],
)
async def test_a_parameter_that_does_not_fit_is_named(
    house: House, path: str, wrong: dict[str, Any], named: str
) -> None:
    answer = await house.get(path, **wrong)
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert named in answer.json()["message"]


async def test_unknown_paths_and_methods_are_answered_in_openais_words(house: House) -> None:
    nowhere = (("GET", "/v1/nothing"), ("POST", "/"), ("GET", "/yescale/nothing"), ("GET", "/docs"))
    for method, path in (*nowhere, ("GET", "/internal.sock")):
        answer = await house.client.request(method, path)
        error = answer.json()["error"]
        assert answer.status_code == 404
        assert error["message"] == f"Invalid URL ({method} {path}) (request id: {answer.headers['x-request-id']})"
        assert (error["type"], error["param"]) == ("invalid_request_error", None)
    answer = await house.client.post("/yescale/user")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


async def test_every_answer_has_one_request_id_of_our_shape(house: House) -> None:
    given = "20260101000000123456789AbCdEf12"
    for sent, kept in ((given, True), ("x", False), (given + "g", False), ("", False)):
        answer = await house.client.get("/healthz", headers={"x-request-id": sent})
        said = answer.headers.get_list("x-request-id")
        assert len(said) == 1
        assert re.fullmatch(r"\d{23}[0-9A-Za-z]{8}", said[0])
        assert answer.headers["X-Oneapi-Request-Id"] == said[0]
        assert (said[0] == given) is kept


async def test_openapi_describes_every_route_and_no_page_loads_from_elsewhere(house: House) -> None:
    document = (await house.client.get("/openapi.json")).json()
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    for method, path, _ in ROUTES:
        if path != "models/list":
            assert (method, "/yescale/" + re.sub(r"/1$", "/{key_id}", path)) in described
    for path in ("/docs", "/redoc"):
        assert (await house.client.get(path)).status_code == 404


async def test_no_answer_and_no_row_holds_a_secret(house: House) -> None:
    """A canary that is stored as a secret appears nowhere (promises B: redaction, response allow-lists)."""
    canary = "sk-canary-7f3a9b"
    await house.operate(
        "channel add", name="canary", provider="openai", base_url="https://api.example.com/v1", secrets=(canary,),
        models={"gpt-4o": "gpt-4o"}, groups=("openai",), headers={"X-Extra": canary},
    )  # fmt: skip
    secrets = [canary, house.note["admin_password"], house.note["api_key"], house.note["access_key"]]
    said = [answer.text for answer in (await answers(house, bearer(house.note["access_key"]))).values()]
    said += [
        str(await house.operate(name)) for name in ("channel list", "user list", "model list", "group list", "status")
    ]
    said.append(str(await house.operate("key list", username="demo")))
    said += [str(await read_rows(house.context.database, table.select())) for table in (accounts, keys)]
    said += [str([row["secrets"] for row in await read_rows(house.context.database, channels.select())])]
    for text in said:
        for secret in secrets:
            assert secret not in text
        assert "argon2" not in text or "password_hash" in text


async def test_a_database_that_is_away_is_503_and_never_401(anyio_backend: object) -> None:
    """Database trouble is not a wrong key (promise 33); when it is back, everything works again by itself."""
    with running(durable=True) as server, server.database() as url:
        async with open_house(url) as house:
            party = await make_party(house.context.database)
            worker = await house.worker()
            server.crash()
            for route, answer in (await answers(house, bearer(house.note["access_key"]))).items():
                assert answer.status_code == 503, route
                assert int(answer.headers["retry-after"]) > 0
                assert answer.json()["success"] is False
            assert (await worker.ask_key(party.key_hash))["unavailable"] is True
            drawn = await worker.draw((party.purse, 0, 1, 1))
            assert drawn["refused"]["code"] == "temporarily_unavailable"
            assert (await house.client.get("/healthz")).status_code == 200
            assert (await house.client.get("/readyz")).status_code == 503
            server.start()
            assert (await house.get("user")).status_code == 200
            assert (await worker.ask_key(party.key_hash, count=2))["key"]["id"] == party.key
