"""Every provider that takes a bearer key, by its row, as an upstream at the sandbox's fake of them all."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.matrix.clients import CLIENTS, Kind
from tests.matrix.rich import FORMATS
from tests.matrix.upstreams import EMBEDDER, TALKER, Upstream, served
from yescale.domain.ids import ProtocolId
from yescale.providers.provider import Bearer, Provider

OFFICIAL = CLIENTS[:4]  # one SDK for each format


@dataclass(frozen=True, kw_only=True)
class Likeness(Upstream):
    """A provider's row, one channel."""

    def channels(self) -> dict[str, tuple[str, str]]:
        models = {TALKER: self.talker, f"{TALKER}+*": f"{self.talker}+*", EMBEDDER: EMBEDDER}
        return {self.name: (self.base, served(models))}


def likeness(provider: Provider, spoken: ProtocolId, operation: str = "chat") -> Likeness:
    """The row as a client of this format meets it: `paths` are those of the endpoint that is chosen for it."""
    endpoint = provider.endpoint(operation, spoken)
    assert endpoint is not None
    whole, stream = endpoint.path, endpoint.stream_path or endpoint.path
    return Likeness(
        name=provider.id,
        provider=provider.id,
        base=f"/alike/{provider.id}{urlsplit(provider.base_url).path}",
        secret="sk-sandbox-alike",
        talker=TALKER,
        thinker=TALKER,
        paths=(whole.rpartition("{model}")[2], stream.rpartition("{model}")[2]),
    )


def alike(providers: Iterable[Provider], operation: str = "chat") -> list[Provider]:
    """Those of them that do this and speak a client's format. (What no client speaks has a fake of its own, as Vertex,
    which takes a service account.)
    """
    found = [one for one in providers if isinstance(one.auth, Bearer) and operation in one.endpoints]
    return [one for one in found if not one.id.startswith("vertex") and _speaks_as_a_client(one)]


def _speaks_as_a_client(provider: Provider) -> bool:
    known = {spoken_by(name) for name, codec in FORMATS.items() if codec is not None}
    spoken = [endpoint.format.id for endpoint in provider.endpoints.get("chat", ())]
    return not spoken or any(name in known for name in spoken)


def spoken_by(client: str) -> ProtocolId:
    """The format of a client, by our short name for it."""
    codec = FORMATS[client]
    assert codec is not None
    return codec.id


def clients_of(provider: Provider, *, every: bool) -> Iterator[Kind]:
    """SDKs of the formats that a provider speaks, or of its first alone; and one that must be translated for it."""
    spoken = [endpoint.format.id for endpoint in provider.endpoints["chat"]]
    native = [kind for name in spoken for kind in OFFICIAL if spoken_by(kind.format) == name]
    yield from native if every else native[:1]
    yield from [kind for kind in reversed(OFFICIAL) if kind not in native][:1]
