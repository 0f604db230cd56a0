"""`/api/v1/*`: the account behind an access key, and who may call what. Routes are found, not listed."""

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from tests.integration.control.house import House, bearer
from yescale.control.api.access import present_caller, present_operator
from yescale.control.http import PARTS

ROUTES = [
    (method, route)
    for part in PARTS
    for route in part.router.routes
    if isinstance(route, APIRoute) and route.path.startswith("/api/v1/")
    for method in sorted(route.methods or ())
]
NAMES = [f"{method} {route.path}" for method, route in ROUTES]
CREDENTIALS = [{}, {"Authorization": ""}, bearer("wrong"), bearer("x" * 32), {"x-api-key": "x" * 32}]


def asked(dependant: Dependant) -> Iterator[object]:
    """What a route asks of its caller, at any depth."""
    yield dependant.call
    for each in dependant.dependencies:
        yield from asked(each)


async def call(house: House, method: str, route: APIRoute, headers: dict[str, str]) -> httpx.Response:
    return await house.client.request(method, re.sub(r"\{[^}]+\}", "1", route.path), headers=headers)


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=NAMES)
async def test_no_route_opens_without_an_access_key(house: House, method: str, route: APIRoute) -> None:
    assert present_caller in set(asked(route.dependant))
    for headers in (*CREDENTIALS, bearer(house.note["api_key"])):
        answer = await call(house, method, route, headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error"), headers


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=NAMES)
async def test_a_disabled_account_opens_no_route(house: House, method: str, route: APIRoute) -> None:
    await house.operate("user disable", username="demo")
    answer = await call(house, method, route, bearer(house.note["access_key"]))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "account_disabled")


async def test_what_is_for_operators_is_refused_to_users(house: House) -> None:
    for method, route in ROUTES:
        if present_operator in set(asked(route.dependant)):
            answer = await call(house, method, route, bearer(house.note["access_key"]))
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "operators_only"), route.path


async def test_an_account_reads_what_it_has(house: House) -> None:
    answer = await house.client.get("/api/v1/account", headers=bearer(house.note["access_key"]))
    user = (await house.get("user")).json()["data"]
    shown = answer.json()
    assert shown["object"] == "account"
    assert shown["username"] == user["username"] == "demo"
    assert shown["balance_nano"] // 2_000 == shown["quota"] == user["quota"]
    assert shown["held_nano"] == 0
