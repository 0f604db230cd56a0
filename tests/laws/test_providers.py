"""What holds for every provider, so that a new one is tested by being there."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yescale.domain.ids import ChannelId
from yescale.domain.profile import Profile
from yescale.domain.snapshot import Channel
from yescale.protocols import openai_chat
from yescale.protocols.registry import FORMATS, UPSTREAM_FORMATS
from yescale.providers.provider import Endpoint, Provider, Request, build_head
from yescale.providers.registry import PROVIDERS, index

ALL = tuple(PROVIDERS.values())
ENDPOINTS = [
    pytest.param(provider, operation, endpoint, id=f"{provider.id}-{operation}-{endpoint.format.id}")
    for provider in ALL
    for operation, endpoints in provider.endpoints.items()
    for endpoint in endpoints
]
KNOWN = (*FORMATS.values(), *UPSTREAM_FORMATS.values(), openai_chat.REALTIME)  # what is no chat has no registry
PAGE = Path(__file__).parents[2] / "docs" / "providers.md"
OPERATIONS = {"chat", "complete", "count", "embed", "moderate", "realtime", "rerank"}


def channel(provider: Provider) -> Channel:
    base = provider.base_url or "https://host.example/base?api-version=2024-10-21"
    return Channel(id=ChannelId(1), name="c", provider=provider.id, base_url=base, secrets=("s",), models={}, groups=())


@pytest.mark.parametrize("provider", ALL, ids=lambda provider: provider.id)
def test_a_provider_has_a_name_a_safe_address_and_something_to_do(provider: Provider) -> None:
    assert PROVIDERS[provider.id] is provider
    assert provider.id.isascii()
    assert provider.id == provider.id.lower()
    assert provider.title
    assert not provider.base_url or provider.base_url.startswith("https://")
    assert not provider.base_url.endswith("/")
    assert provider.endpoints
    assert set(provider.endpoints) <= OPERATIONS
    assert all(provider.endpoints.values())


def test_two_providers_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two providers"):
        index((ALL[0], ALL[0]))


@pytest.mark.parametrize(("provider", "operation", "endpoint"), ENDPOINTS)
@pytest.mark.parametrize("stream", [False, True])
def test_every_endpoint_speaks_a_known_format_at_a_path_that_a_head_can_say(
    provider: Provider, operation: str, endpoint: Endpoint, stream: bool
) -> None:
    assert any(endpoint.format is known for known in KNOWN)
    assert provider.endpoint(operation, endpoint.format.id) is endpoint
    request = Request(endpoint=endpoint, model="a/b c:1?é", stream=stream, secret="secret")
    head = build_head(channel(provider), provider, request)
    first, *lines = head.lines.decode("ascii").split("\r\n")
    method, target, version = first.split(" ")
    assert (method, version) == (endpoint.method, "HTTP/1.1")
    assert target.startswith("/")
    assert "//" not in target
    assert "{" not in target
    assert target == head.target
    assert ("%C3%A9" in target) == ("{model}" in endpoint.path + endpoint.query)
    assert ("a%2Fb%20c:1%3F%C3%A9" in target.partition("?")[0]) == ("{model}" in endpoint.path)
    names = [line.split(":")[0] for line in lines if line]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() for name in names)


@pytest.mark.parametrize("provider", ALL, ids=lambda provider: provider.id)
def test_each_format_is_spoken_at_one_place_of_an_operation(provider: Provider) -> None:
    for endpoints in provider.endpoints.values():
        formats = [endpoint.format.id for endpoint in endpoints]
        assert len(set(formats)) == len(formats)


@pytest.mark.parametrize("provider", ALL, ids=lambda provider: provider.id)
@given(model=st.text())
def test_a_profile_is_told_of_any_model(provider: Provider, model: str) -> None:
    assert isinstance(provider.profile(model), Profile)


@pytest.mark.parametrize("provider", ALL, ids=lambda provider: provider.id)
def test_the_page_of_providers_tells_of_it(provider: Provider) -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{provider.id}` |")]
    assert len(rows) == 1
    assert provider.base_url in rows[0]
    assert "https://" in rows[0].rsplit("|", 2)[1]
