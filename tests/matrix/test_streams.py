"""The raw streams of every pair of formats: their grammar, their calls, their ends, and what they cost."""

import json
from itertools import product

import httpx
import pytest
from google.genai.errors import ServerError

from tests.grammars import anthropic, openai_chat
from tests.grammars.frames import frames
from tests.matrix.asking import TOOL, Ask
from tests.matrix.clients import CLIENTS, Kind
from tests.matrix.google_client import GenerateClient
from tests.matrix.house import House
from tests.matrix.rich import BODIES, losses
from tests.matrix.upstreams import FAILING, TALKER, THINKER, UPSTREAMS, Upstream
from tests.matrix.wires import WIRES, Wire

PAIRS = pytest.mark.parametrize(
    ("wire", "upstream"),
    list(product(WIRES.values(), UPSTREAMS.values())),
    ids=[f"{client}-{upstream}" for client, upstream in product(WIRES, UPSTREAMS)],
)
CUTTINGS = ("", "+drip", "+done-only", "+tool-done-only")
ARGUMENTS = (
    '{"city":"Hà Nội \\u2028 \\"quoted\\"","unit":"c"}',
    '{"city":"","unit":"f","z":1.10,"deep":{"a":[1,{"b":null}]}}',
)
SPOKEN = "\n".join(f"sandbox-call: {TOOL} {arguments}" for arguments in ARGUMENTS)


@PAIRS
def test_a_stream_keeps_the_grammar_of_its_format(house: House, wire: Wire, upstream: Upstream) -> None:
    """Promises 23 and 27: text, and thoughts before the call of a tool."""
    thinker = {**wire.body(THINKER, f"Ask {TOOL}."), "tools": wire.tools, **wire.thinking}
    for body in (wire.body(TALKER, "Say something."), thinker):
        mark = house.installation.last_arrival()
        answer = wire.post(house, upstream, body)
        assert answer.status == 200, answer.content
        assert wire.faults(answer.content) == []
        call = house.only_call(mark)
        if wire is WIRES["chat"] and body is not thinker:
            assert list(openai_chat.faults(frames(answer.content), usage_asked=True)) == []
        assert set(answer.headers.get("x-yescale-losses", "").replace(",", " ").split()) <= set(call.row["losses"])
        assert call.row["amount"] == house.price(call) > 0


@PAIRS
def test_a_call_is_the_same_however_its_arguments_come(house: House, wire: Wire, upstream: Upstream) -> None:
    """Promises 22 and 26: in pieces of one character, at the end alone, in one chunk; two calls side by side."""
    for cutting in CUTTINGS:
        answer = wire.post(house, upstream, {**wire.body(TALKER + cutting, SPOKEN), "tools": wire.tools})
        assert wire.faults(answer.content) == [], cutting
        calls = wire.calls(answer.content)
        assert [name for name, _ in calls] == [TOOL, TOOL], cutting
        for (_, arguments), spoken in zip(calls, ARGUMENTS, strict=True):
            assert json.loads(arguments) == json.loads(spoken), cutting


@PAIRS
def test_a_stream_that_the_provider_cuts_ends_with_an_error_in_the_clients_format(
    house: House, wire: Wire, upstream: Upstream
) -> None:
    """Promise 28."""
    answer = wire.post(house, upstream, wire.body(f"{FAILING}+cut-6", "Say many words, one after the other."))
    assert (answer.status, answer.whole) == (200, False)
    assert wire.failed(answer.content), answer.content[-600:]


@pytest.mark.parametrize("upstream", UPSTREAMS.values(), ids=UPSTREAMS)
@pytest.mark.parametrize("kind", CLIENTS[:4], ids=lambda kind: kind.name)
def test_an_official_sdk_raises_where_the_provider_cuts(house: House, kind: Kind, upstream: Upstream) -> None:
    """Promise 28."""
    client = kind.make(house.base_url, house.keys[upstream.name])
    with pytest.raises(Exception, match=r"(?i)error|stream|closed|cut|provider"):
        client.ask(Ask(model=f"{FAILING}+cut-6", text="Say many words, one after the other.", stream=True))
    client.close()


@PAIRS
def test_a_usage_of_zero_stays_zero(house: House, wire: Wire, upstream: Upstream) -> None:
    """Promise 11."""
    mark = house.installation.last_arrival()
    answer = wire.post(house, upstream, wire.body(f"{TALKER}+usage-0", "Say something."))
    assert wire.faults(answer.content) == []
    call = house.only_call(mark)
    assert (call.row["amount"], call.row["estimated"]) == (0, False)


@PAIRS
def test_the_usage_of_an_answer_that_is_not_whole_is_charged(house: House, wire: Wire, upstream: Upstream) -> None:
    """Promise 7: the limit of tokens ends it."""
    mark = house.installation.last_arrival()
    answer = wire.post(house, upstream, wire.body(TALKER, "Say something.") | wire.limit(20))
    assert wire.faults(answer.content) == []
    call = house.only_call(mark)
    assert call.request["usage_reported"]["completion_tokens"] <= 20
    assert (call.row["outcome"], call.row["estimated"]) == ("ok", False)
    assert call.row["amount"] == house.price(call) > 0


def test_a_response_that_failed_is_an_error_and_its_usage_is_charged(house: House) -> None:
    """Promise 7: its terminal event is one of its own."""
    wire = WIRES["responses"]
    mark = house.installation.last_arrival()
    answer = wire.post(house, UPSTREAMS["responses"], wire.body(f"{FAILING}+failed", "Say something."))
    assert wire.failed(answer.content), answer.content
    call = house.only_call(mark)
    assert (call.row["outcome"], call.row["estimated"]) == ("upstream_cut", False)
    assert call.row["amount"] == house.price(call) > 0


@pytest.mark.parametrize("name", ["chat", "messages"])
def test_a_response_that_failed_before_a_word_of_its_translation_is_a_failed_attempt(house: House, name: str) -> None:
    """Promises 21 and 28: nothing has gone out, so it is tried again, told by a status, and costs nothing."""
    wire = WIRES[name]
    mark = house.installation.last_arrival()
    answer = wire.post(house, UPSTREAMS["responses"], wire.body(f"{FAILING}+failed", "Say something."))
    assert answer.status == 502
    assert json.loads(answer.content)["error"]["message"]
    assert len(house.installation.arrived(mark)) > 1
    (row,) = house.admin("log", "list", "--limit", "1")
    assert (row["outcome"], row["status"], row["amount"]) == ("upstream_error", 502, 0)


def test_a_response_that_failed_before_a_word_is_a_plain_error_of_google_genai(house: House) -> None:
    """Promise 28: Gemini's streams begin with words, so that nothing has gone out yet: a status can still be said."""
    client = GenerateClient(house.base_url, house.keys["responses"])
    mark = house.installation.last_arrival()
    with pytest.raises(ServerError) as caught:
        client.ask(Ask(model=f"{FAILING}+failed", text="Say something.", stream=True))
    client.close()
    assert (caught.value.code, caught.value.status) == (502, "UNAVAILABLE")
    assert caught.value.message
    assert len(house.installation.arrived(mark)) > 1, "as long as nothing has gone out, it is tried again"
    (row,) = house.admin("log", "list", "--limit", "1")
    assert (row["outcome"], row["status"], row["amount"]) == ("upstream_error", 502, 0)


FULLEST = [
    pytest.param(client, upstream, id=f"{client}-{upstream.name}")
    # What chat's servers and Gemini's models refuse, is the row's and the model's to say: test_likenesses.py.
    for client, upstream in product(WIRES, (UPSTREAMS["responses"], UPSTREAMS["messages"]))
    if client != upstream.name
]


@pytest.mark.parametrize(("client", "upstream"), FULLEST)
def test_a_request_that_says_all_arrives_with_what_it_loses_named(
    house: House, client: str, upstream: Upstream
) -> None:
    """Promises 29 and 30: the upstream takes it, and what is not in it stands in the log."""
    wire, body = WIRES[client], dict(BODIES[client])
    body |= {"model": TALKER, **{name: value for name, value in wire.body(TALKER, "").items() if name == "stream"}}
    body.pop("verbosity", None)  # which gpt-4o refuses of anyone
    mark = house.installation.last_arrival()
    answer = wire.post(house, upstream, body)
    assert answer.status == 200, answer.content
    assert wire.faults(answer.content) == []
    call = house.only_call(mark)
    assert set(call.row["losses"]) <= {loss.what for loss in losses(client, upstream.name)}
    assert call.row["losses"]


@pytest.mark.parametrize("upstream", UPSTREAMS.values(), ids=UPSTREAMS)
def test_a_message_starts_with_the_size_of_its_prompt_and_tokens_are_counted(house: House, upstream: Upstream) -> None:
    """Promise 24."""
    wire = WIRES["messages"]
    body = wire.body(TALKER, "How many tokens are these words? " * 20)
    start = anthropic.events(wire.post(house, upstream, body).content)[0].data
    assert start["message"]["usage"]["input_tokens"] > 0
    counting = {"model": TALKER, "messages": body["messages"]}
    headers = {"x-api-key": house.keys[upstream.name], "anthropic-version": "2023-06-01"}
    counted = httpx.post(f"{house.base_url}/v1/messages/count_tokens", json=counting, headers=headers, timeout=30)
    assert counted.status_code == 200, counted.text
    assert 20 < counted.json()["input_tokens"] < 1000


LATE = "The word of the day is"


@pytest.mark.parametrize("upstream", UPSTREAMS.values(), ids=UPSTREAMS)
@pytest.mark.parametrize("client", ["chat", "responses", "messages"])
def test_a_system_message_in_the_middle_arrives(house: House, client: str, upstream: Upstream) -> None:
    """Promise 25."""
    turns = [
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Hello to you."},
        {"role": "system", "content": f"{LATE} {client}-{upstream.name}."},
        {"role": "user", "content": "Go on."},
    ]
    wire = WIRES[client]
    body = wire.body(TALKER, "")
    body["input" if client == "responses" else "messages"] = turns
    mark = house.installation.last_arrival()
    answer = wire.post(house, upstream, body)
    assert answer.status == 200, answer.content
    assert wire.faults(answer.content) == []
    assert f"{LATE} {client}-{upstream.name}." in house.only_call(mark).text
