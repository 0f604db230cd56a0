"""The sandbox's own paths, below `/__sandbox`: what arrived, what it came to, which scenarios there are."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

import msgspec

from yescale_sandbox import scenario
from yescale_sandbox.exchange import JSON, Answer, Request, joined, whole
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.record import Records
from yescale_sandbox.vertex import account

PREFIX = "/__sandbox"
PAGE = 10_000


class Inspection:
    """Answers about the sandbox. `forget` empties what is not in the records."""

    def __init__(self, records: Records, forget: Callable[[], None]) -> None:
        self._records = records
        self._forget = forget
        self._routes: Mapping[tuple[str, str], Callable[[Request], JsonObject]] = {
            ("GET", f"{PREFIX}/health"): self._health,
            ("GET", f"{PREFIX}/scenarios"): self._scenarios,
            ("GET", f"{PREFIX}/requests"): self._requests,
            ("GET", f"{PREFIX}/totals"): self._totals,
            ("POST", f"{PREFIX}/reset"): self._reset,
            ("GET", f"{PREFIX}/service-account"): _service_account,
        }

    def answer(self, request: Request) -> Answer:
        route = self._routes.get((request.method, request.path))
        if route is None:
            known = ", ".join(f"{method} {path}" for method, path in self._routes)
            return _json(404, {"error": f"No such path of the sandbox. There are: {known}."})
        try:
            return _json(200, route(request))
        except _NoNumberError as error:
            return _json(400, {"error": f"`{error}` is a whole number."})

    def _health(self, _: Request) -> JsonObject:
        return {"status": "ok", "last": self._records.last}

    def _scenarios(self, _: Request) -> JsonObject:
        return {"scenarios": scenario.listing()}

    def _totals(self, _: Request) -> JsonObject:
        return self._records.totals_json()

    def _requests(self, request: Request) -> JsonObject:
        """Entries after a number, a page at a time; `last` is where the next page starts."""
        asked = parse_qs(request.query)
        after = _number(asked, "after", 0)
        limit = min(_number(asked, "limit", PAGE), PAGE)
        entries: list[Json] = [entry.to_json() for entry in self._records.after(after, limit)]
        full = len(entries) == limit and limit > 0
        last = entries[-1]["seq"] if full and isinstance(entries[-1], dict) else self._records.last
        return {"requests": entries, "last": last}

    def _reset(self, _: Request) -> JsonObject:
        self._records.reset()
        self._forget()
        return {"status": "ok"}


def _service_account(request: Request) -> JsonObject:
    """The file that a channel to Vertex needs; `lifetime` says how many seconds its access tokens live."""
    asked = parse_qs(request.query)
    lifetime = _number(asked, "lifetime", 0) if "lifetime" in asked else None
    return account.file(request.headers.get("host", ""), lifetime)


class _NoNumberError(Exception):
    """A parameter that is not a whole number."""


def _number(asked: Mapping[str, list[str]], name: str, default: int) -> int:
    text = asked.get(name, [str(default)])[-1]
    if not (text.isascii() and text.isdigit()):
        raise _NoNumberError(name)
    return int(text)


def _json(status: int, value: JsonObject) -> Answer:
    start, body = whole(status, JSON, msgspec.json.encode(value))
    return Answer(status, joined(start, body))
