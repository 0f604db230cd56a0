"""The channels to the sandbox's fake providers: made at the first start with one, and pointed at it at every later."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.control.catalogue_entries import Entry
from yescale.control.catalogue_file import read_seed
from yescale.control.secrets import Vault
from yescale.control.seeding import catalogue_entry
from yescale.control.snapshot import seal_secrets
from yescale.domain.ids import ChannelId, ModelName
from yescale.store.catalogue import set_models
from yescale.store.channels import ChannelRow, NewChannel, create_channel, list_channels, update_channel

_ENABLED: Final = 1
_DISABLED: Final = 2
_EVERYONE: Final = ("default", "normal")


class FakeProvider(Struct, frozen=True, kw_only=True):
    """A channel to one of the sandbox's providers: its path there, a key that it takes, and the seed's models that it
    is to serve, by owner and operation. The key opens nothing but the fake providers of this machine.
    """

    name: str
    provider: str
    path: str
    secret: str
    owner: str
    operations: frozenset[str]
    groups: tuple[str, ...]

    def serves(self, entry: Entry) -> bool:
        """Whether a seed entry is this provider's."""
        return entry.owner == self.owner and bool(self.operations & set(entry.operations))


FAKE_PROVIDERS: Final = (
    FakeProvider(
        name="sandbox",
        provider="openai",
        path="/openai/v1",
        secret="sk-sandbox-yescale",  # noqa: S106 - as the class says
        owner="openai",
        operations=frozenset({"chat", "complete", "embed", "moderate", "realtime"}),
        groups=("openai", "openaivip"),
    ),
    FakeProvider(
        name="sandbox-anthropic",
        provider="anthropic",
        path="/anthropic",
        secret="sk-ant-sandbox-yescale",  # noqa: S106 - as the class says
        owner="anthropic",
        operations=frozenset({"chat"}),
        groups=("claude",),
    ),
    FakeProvider(
        name="sandbox-google",
        provider="google",
        path="/gemini/v1beta",
        secret="AIzaSandbox-yescale",  # noqa: S106 - as the class says
        owner="google",
        operations=frozenset({"chat", "embed"}),
        groups=("gemini",),
    ),
    FakeProvider(
        name="sandbox-deepseek",
        provider="openai_compatible",  # the sandbox's has no path in Anthropic's format
        path="/deepseek",
        secret="sk-sandbox-yescale",  # noqa: S106 - as the class says
        owner="deepseek",
        operations=frozenset({"chat"}),
        groups=("deepseek",),
    ),
    FakeProvider(
        name="sandbox-ark",
        provider="ark",
        path="/ark/api/v3",
        secret="sk-sandbox-yescale",  # noqa: S106 - as the class says
        owner="volcengine",
        operations=frozenset({"chat"}),
        groups=("deepseek",),
    ),
    FakeProvider(
        name="sandbox-cohere",
        provider="cohere",
        path="/cohere",
        secret="sk-sandbox-yescale",  # noqa: S106 - as the class says
        owner="cohere",
        operations=frozenset({"rerank"}),
        groups=("openai",),
    ),
    FakeProvider(
        name="sandbox-jina",
        provider="jina",
        path="/jina/v1",
        secret="sk-sandbox-yescale",  # noqa: S106 - as the class says
        owner="jina",
        operations=frozenset({"rerank"}),
        groups=("openai",),
    ),
)


async def follow(
    connection: AsyncConnection, vault: Vault, url: str, seed: Sequence[Entry] = (), *, now_ms: int
) -> None:
    """Point every sandbox channel at the sandbox, making those that are not there; rest them all where `url` is "".

    `seed`: its models, if they were read already.
    """
    there = {row.name: row for row in await list_channels(connection)}
    missing = any(fake.name not in there for fake in FAKE_PROVIDERS)
    if url and missing and not seed:
        seed = read_seed()
    for fake in FAKE_PROVIDERS:
        row = there.get(fake.name)
        if row is not None:
            await _point(connection, row, f"{url}{fake.path}" if url else "", now_ms)
        elif url:
            new = _channel(vault, fake, url, seed)
            await create_channel(connection, new, now_ms=now_ms)
            await _open_scenarios(connection, [entry for entry in seed if fake.serves(entry)], now_ms)


async def _point(connection: AsyncConnection, row: ChannelRow, url: str, now_ms: int) -> None:
    """Send calls to the sandbox where it is now; none to one that this start does not have."""
    wanted = (url, _ENABLED) if url else (row.base_url, _DISABLED)
    if (row.base_url, row.status) != wanted:
        await update_channel(connection, ChannelId(row.id), now_ms=now_ms, base_url=wanted[0], status=wanted[1])


def _channel(vault: Vault, fake: FakeProvider, url: str, seed: Sequence[Entry]) -> NewChannel:
    """A channel for the models that it serves, under their own names and with every scenario's suffix."""
    own = [entry.name for entry in seed if fake.serves(entry)]
    return NewChannel(
        name=fake.name,
        provider=fake.provider,
        base_url=f"{url}{fake.path}",
        secrets=seal_secrets(vault, (fake.secret,)),
        models={name: name for entry in own for name in (entry, f"{entry}+*")},
        groups=(*_EVERYONE, *fake.groups),
    )


async def _open_scenarios(connection: AsyncConnection, entries: Sequence[Entry], now_ms: int) -> None:
    rows = [
        replace(catalogue_entry(entry), name=ModelName(f"{entry.name}+*"), priced_as=entry.priced_as or entry.name)
        for entry in entries
    ]
    await set_models(connection, rows, now_ms=now_ms)
