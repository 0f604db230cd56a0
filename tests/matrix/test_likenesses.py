"""Every provider's row, picked up from the registry: an official SDK at a fake that speaks with the row's quirks."""

import pytest
from openai import OpenAI

from tests.matrix.capabilities import CAPABILITIES, Cell
from tests.matrix.clients import Kind
from tests.matrix.figures import FULL
from tests.matrix.house import House
from tests.matrix.likenesses import alike, clients_of, likeness, spoken_by
from tests.matrix.rich import BODIES
from tests.matrix.upstreams import EMBEDDER, TALKER
from tests.matrix.wires import WIRES
from yescale.protocols import openai_chat
from yescale.providers import openai
from yescale.providers.provider import Provider
from yescale.providers.registry import PROVIDERS

PAIRS = [
    pytest.param(provider, kind, id=f"{provider.id}-{kind.name}")
    for provider in alike(PROVIDERS.values())
    for kind in clients_of(provider, every=FULL)
]
FULLEST = [
    pytest.param(provider, client, id=f"{provider.id}-{client}")
    for provider in alike(PROVIDERS.values())
    if provider.profile is not openai.profile  # where the model, not the row, says what it refuses
    for client in BODIES
    if spoken_by(client) not in [endpoint.format.id for endpoint in provider.endpoints["chat"]]
]
QUICK = (("text", True), ("tools", True), ("error", False))
ALL = tuple((name, stream) for name in ("text", "tools", "error") for stream in (False, True))


def named(provider: object) -> str | None:
    return provider.id if isinstance(provider, Provider) else None


@pytest.mark.parametrize(("provider", "kind"), PAIRS)
def test_a_provider_answers_calls_tools_and_refuses(house: House, provider: Provider, kind: Kind) -> None:
    """Promise 27."""
    upstream = likeness(provider, spoken_by(kind.format))
    house.connect(upstream)
    client = kind.make(house.base_url, house.keys[upstream.name])
    try:
        for capability, stream in ALL if FULL else QUICK:
            cell = Cell(house=house, client=client, upstream=upstream, stream=stream, kind=kind)
            CAPABILITIES[capability](cell)
    finally:
        client.close()


@pytest.mark.parametrize(("provider", "client"), FULLEST)
def test_a_provider_takes_the_fullest_request_of_any_format_that_it_does_not_speak(
    house: House, provider: Provider, client: str
) -> None:
    """Promises 29 and 30: what it would refuse is left out, and said to be."""
    upstream, wire = likeness(provider, spoken_by(client)), WIRES[client]
    house.connect(upstream)
    mark = house.installation.last_arrival()
    answer = wire.post(house, upstream, {**wire.body(TALKER, ""), **BODIES[client], "model": TALKER})
    assert answer.status == 200, answer.content
    assert wire.faults(answer.content) == []
    call = house.only_call(mark)
    assert call.row["losses"]
    assert call.row["amount"] == house.price(call) > 0


@pytest.mark.parametrize("provider", alike(PROVIDERS.values(), "embed"), ids=named)
def test_a_provider_embeds(house: House, provider: Provider) -> None:
    upstream = likeness(provider, openai_chat.EMBEDDINGS.id, "embed")
    house.connect(upstream)
    mark = house.installation.last_arrival()
    with OpenAI(base_url=f"{house.base_url}/v1", api_key=house.keys[upstream.name], max_retries=0) as sdk:
        made = sdk.embeddings.create(model=EMBEDDER, input=["one", "two"])
    assert [len(row.embedding) for row in made.data] == [1536, 1536]
    call = house.only_call(mark)
    assert call.request["path"].endswith(upstream.paths[0])
    assert call.request["body"]["input"] == ["one", "two"]
    assert (call.row["outcome"], call.row["estimated"]) == ("ok", False)
    assert call.request["usage"]["prompt_tokens"] == made.usage.prompt_tokens
