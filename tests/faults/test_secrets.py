"""A canary in every place where a secret can stand: none of them sings anywhere else."""

import base64
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.faults.books import quiet, read_books
from tests.faults.caller import HOST, Heard, call
from tests.faults.figures import publish
from tests.faults.house import House, Key, housing
from tests.faults.load import CHAT, EMBED, SMALL, furnish

Headers = Mapping[str, str]
FOR_THE_OWNER = {"bootstrap.json", "master.key"}  # files of the home that hold secrets by design, mode 0600

# An unknown path is told to whoever asked for it. Headers of a channel lie open in the database: they are no place for
# credentials, which belong among its secrets.
PATH, CHANNEL_HEADER = "path", "header of a channel"
ALLOWED = {PATH, CHANNEL_HEADER}


class Cage:
    """Canaries by the place that each was put in."""

    def __init__(self) -> None:
        self.birds: dict[str, str] = {}

    def put(self, place: str, prefix: str = "") -> str:
        """A new secret for a place; its last characters may be shown."""
        self.birds[place] = f"{prefix}canary{secrets.token_hex(16)}"
        return self.birds[place]

    def hold(self, place: str, secret: str) -> str:
        """A secret that the gateway made."""
        self.birds[place] = secret
        return secret

    def sung(self, text: str) -> list[str]:
        """The places whose secret is in a text: whole, in base64, or the longest part that a mask must hide."""
        return [place for place, secret in self.birds.items() if any(note in text for note in _notes(secret))]


def _notes(secret: str) -> Iterator[str]:
    bare = secret.removeprefix("sk-").removeprefix("sandbox-")
    yield bare
    yield bare[6:-6]
    yield base64.b64encode(secret.encode()).decode().rstrip("=")


def wrong_heads(cage: Cage) -> Iterator[tuple[str, Headers]]:
    """Requests that name a secret that is none of ours."""
    yield CHAT, {"authorization": f"Bearer {cage.put('bearer', 'sk-')}"}
    yield CHAT, {"authorization": f"bearer   {cage.put('bearer without sk-')}"}
    yield CHAT, {"Authorization": cage.put("authorization without a scheme", "sk-")}
    yield CHAT, {"authorization": f"Bearer {cage.put('bearer of no possible shape', 'sk-')}/=+"}
    yield CHAT, {"authorization": f"Bearer {cage.put('bearer with a channel', 'sk-')}-7"}
    yield CHAT, {"authorization": f"Basic {base64.b64encode(cage.put('basic').encode()).decode()}"}
    yield CHAT, {"authorization": f"Digest username={cage.put('digest')}"}
    yield "/v1/models", {"x-api-key": cage.put("x-api-key", "sk-")}
    for name in (
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "cookie",
        "proxy-authorization",
        "x-auth-token",
        "mj-api-secret",
    ):
        yield CHAT, {name: cage.put(f"header {name}", "sk-")}
    for name in ("key", "api_key", "access_token", "token"):
        yield f"{CHAT}?{name}={cage.put(f'query {name}', 'sk-')}", {}
        yield f"/yescale/user?{name}={cage.put(f'query {name} of the System API', 'sk-')}", {}
    yield f"/v1/{cage.put('path')}", {}
    yield f"/yescale/deletekey/{cage.put('path of the System API')}", {}
    for path in ("/yescale/user", "/yescale/logs", "/readyz", "/metrics", "/api/v1/session"):
        yield path, {"authorization": f"Bearer {cage.put(f'bearer at {path}')}"}
    yield CHAT, {"bad header": cage.put("a head that is none")}


def bodies(cage: Cage) -> Iterator[dict[str, Any] | bytes]:
    """Bodies that hold what nobody should write down, of calls that a good key makes."""
    chat: dict[str, Any] = {"model": SMALL, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 20}
    # `user` and `safety_identifier` are no secrets: they are the tags by which a call's row is found again.
    for name in ("api_key", "key", "token", "authorization", "prompt_cache_key"):
        yield chat | {name: cage.put(f"body {name}", "sk-")}
    yield chat | {"metadata": {"secret": cage.put("body metadata")}}
    yield chat | {"messages": [{"role": "system", "content": cage.put("prompt")}, *chat["messages"]]}
    yield chat | {"messages": [{"role": cage.put("role"), "content": "x"}]}
    yield b'{"model": "' + SMALL.encode() + b'", "api_key": "' + cage.put("broken JSON").encode()
    yield b'\xff\xfe{"api_key": "' + cage.put("no UTF-8").encode() + b'"}'
    yield chat | {"max_tokens": cage.put("a field of another type")}
    for scenario in ("echo-secret", "401", "402", "400", "500", "cut-3", "badjson"):
        yield chat | {"model": f"{SMALL}+{scenario}"}
        yield chat | {"model": f"{SMALL}+{scenario}", "stream": True}


@asynccontextmanager
async def canary_house(folder: Path, url: str, cage: Cage) -> AsyncIterator[House]:
    """As talkative as it can be, and with secrets of its own in its settings."""
    environ = {"YESCALE_MASTER_SECRET": cage.put("master secret"), "YESCALE_LOG_LEVEL": "debug"}
    if url.startswith("postgresql"):
        environ["YESCALE_DATABASE"] = url.replace("postgres@", f"postgres:{cage.put('database password')}@")
    async with housing(folder, environ=environ) as house:
        house.database = environ.get("YESCALE_DATABASE", "")
        yield house


def furnish_with_secrets(house: House, cage: Cage) -> tuple[Key, str]:
    """An account, its keys and a channel whose secrets are canaries."""
    furnish(house)
    for channel in house.ask("channel list"):
        house.ask("channel edit", id=channel["id"], secrets=[cage.put(f"secret of {channel['name']}", "sk-sandbox-")])
    house.ask("channel edit", id=1, headers={"x-organization": cage.put(CHANNEL_HEADER)})
    password = cage.put("password")
    made = house.ask("user create", username="someone", password=password, trial_usd="5")
    house.ask("user password", username="someone", password=cage.put("new password"))
    key = house.add_key("someone")
    cage.hold("API key", key.secret)
    return key, cage.hold("access key", made["access_key"])


async def ask_everything(house: House, cage: Cage) -> list[Heard]:
    """All requests, and everything that they were answered."""
    key, access_key = furnish_with_secrets(house, cage)
    heard = [await call(house.port, path, b"{}", head) for path, head in wrong_heads(cage)]
    heard += [await call(house.port, CHAT, body, key.headers) for body in bodies(cage)]
    heard += [
        await call(house.port, EMBED, {"model": f"text-embedding-3-small+{end}", "input": "x"}, key.headers)
        for end in ("echo-secret", "500")
    ]
    heard.append(await call(house.port, CHAT, {}, {"authorization": f"Bearer {key.secret}-1"}))
    heard.append(await call(house.port, CHAT, {}, {"authorization": f"Bearer {access_key}"}))
    return heard


def shown_to_owner(house: House, key_headers: Headers, access_headers: Headers) -> Iterable[str]:
    """What the account and the operator may read."""
    owned = ("/yescale/user", "/yescale/apikeylist", "/yescale/logs", "/yescale/models", "/metrics")
    pages = [(path, access_headers) for path in owned]
    pages += [("/v1/models", key_headers), ("/yescale/user", key_headers), ("/metrics", {}), ("/openapi.json", {})]
    for path, headers in pages:
        answer = httpx.get(f"http://{HOST}:{house.port}{path}", headers=dict(headers), timeout=30)
        yield f"{answer.headers} {answer.text}"
    for operation in ("channel list", "user list", "model list", "status", "ledger verify"):
        yield repr(house.ask(operation))
    yield repr(house.ask("key list", username="someone"))


def command_lines(house: House) -> str:
    """What every user of the machine can read of the processes."""
    words: list[str] = []
    assert house.gateway is not None
    for process in (psutil.Process(house.gateway.pid), *(child for _, child in house.children())):
        with suppress(psutil.Error):
            words += process.cmdline()
    return " ".join(words)


def files_of(house: House) -> Iterator[tuple[str, str]]:
    """Every file that the gateway wrote: logs, journals, the database itself."""
    for path in (house.log, *house.home.rglob("*")):
        if path.is_file() and path.name not in FOR_THE_OWNER:
            yield path.name, path.read_bytes().decode("latin-1")


@pytest.mark.timeout(300)
async def test_no_secret_is_written_or_answered_anywhere(tmp_path: Path, database_url: str) -> None:
    """Part B, redaction: each secret stays where it was put, whatever goes wrong with the request that holds it."""
    cage = Cage()
    async with canary_house(tmp_path / "house", database_url, cage) as house:
        heard = await ask_everything(house, cage)
        keyed = {"authorization": f"Bearer {cage.birds['API key']}"}
        owned = {"authorization": f"Bearer {cage.birds['access key']}"}
        shown = [*shown_to_owner(house, keyed, owned), command_lines(house)]
        await quiet(house)
        places = {f"answer {number}": f"{each.headers} {each.body!r}" for number, each in enumerate(heard)}
        places |= {f"shown {number}": text for number, text in enumerate(shown)}
        places |= dict(files_of(house)) | {"database": (await read_books(house)).dump}
        assert {place: sung for place, text in places.items() if (sung := set(cage.sung(text)) - ALLOWED)} == {}
        assert {each.status for each in heard} >= {200, 400, 401, 403, 502}
        assert any(
            "canary" not in each.body.decode(errors="replace") and b"made with the key" in each.body for each in heard
        )
    after = dict(files_of(house))
    assert {place: sung for place, text in after.items() if (sung := set(cage.sung(text)) - ALLOWED)} == {}
    publish("secrets", database_url.partition("+")[0], {"canaries": len(cage.birds), "places looked at": len(places)})
