"""Laws of requests: a malformed one is refused with its field, what the format can say survives a round trip."""

import base64
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tests.unit.protocols.anthropic_messages.said import (
    PLAIN,
    asking,
    body,
    decode,
    dump,
)
from tests.unit.protocols.anthropic_messages.test_blocks import SAME
from yescale.domain.chat import (
    ChatRequest,
    Message,
    OutputForm,
    Sampling,
    Tool,
    ToolChoice,
)
from yescale.domain.content import (
    CachePoint,
    File,
    Image,
    Inline,
    Stored,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from yescale.domain.faults import Fault
from yescale.protocols.anthropic_messages import CODEC, MESSAGES
from yescale.protocols.anthropic_messages.prompt import WHOLE_CONTEXT
from yescale.protocols.anthropic_messages.words import ID
from yescale.protocols.codec import NO_WORDS, Malformed

PLAIN_TEXT = base64.b64encode("Grüße".encode()).decode()
MALFORMED: list[tuple[object, str | None]] = [
    (b"{", None),
    (b"[]", None),
    (b"\xff", None),
    (dump({"messages": []}), "model"),
    (dump({"model": "m"}), "messages"),
    (body(model=""), "model"),
    (body(messages=[]), "messages"),
    (body(messages=[{"role": "system", "content": "x"}]), "messages"),
    (body(messages=[{"role": "tool", "content": "x"}]), "messages[0].role"),
    (body(messages=[{"role": "user"}]), "messages[0].content"),
    (body(max_tokens="5"), "max_tokens"),
    (body(max_tokens=-1), "max_tokens"),
    (body(temperature=[]), "temperature"),
    (body(system=[{"type": "image", "source": {"type": "url", "url": "u"}}]), "system"),
    (body(tools=[{"name": "f"}]), "tools.0.input_schema"),
    (body(tools=[{"name": "f", "input_schema": {}}, 5]), "tools.1"),
    (body(tools=[{"type": "web_search_20250305", "max_uses": "x"}]), "tools.0.max_uses"),
    (body(tool_choice={"type": "tool"}), "tool_choice.name"),
    (body(tool_choice={"type": "some"}), "tool_choice.type"),
    (body(thinking={"type": "hard"}), "thinking.type"),
    (body(output_config={"effort": "huge"}), "output_config.effort"),
    (asking("x"), "messages.1.content.0"),
    (asking({"text": "x"}), "messages.1.content.0.type"),
    (asking({"type": "text"}), "messages.1.content.0.text"),
    (
        asking({"type": "text", "text": "x", "cache_control": {"type": "forever"}}),
        "messages.1.content.0.cache_control.type",
    ),
    (asking({"type": "text", "text": "x", "citations": [{}]}), "messages.1.content.0.citations.0.type"),
    (asking({"type": "image"}), "messages.1.content.0.source"),
    (asking({"type": "image", "source": {"type": "base64", "data": "x"}}), "messages.1.content.0.source"),
    (asking({"type": "document", "source": {"type": "url"}}), "messages.1.content.0.source"),
    (asking({"type": "tool_use", "id": "t", "name": "n", "input": "x"}), "messages.1.content.0.input"),
    (asking({"type": "tool_use", "id": "t", "name": "n"}), "messages.1.content.0.input"),
    (asking({"type": "tool_result", "content": "x"}), "messages.1.content.0.tool_use_id"),
    (
        asking({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text"}]}),
        "messages.1.content.0.content.0.text",
    ),
    (asking({"type": "thinking", "thinking": 5}), "messages.1.content.0.thinking"),
    (asking({"type": "server_tool_use", "name": "x"}), "messages.1.content.0.id"),
    (asking({"type": "search_result", "source": "s", "title": "t"}), "messages.1.content.0.content"),
    (b'{"model":"m","messages":' + b"[" * 5_000 + b"]" * 5_000 + b"}", None),
]


@pytest.mark.parametrize(("bad", "field"), MALFORMED, ids=[str(number) for number in range(len(MALFORMED))])
def test_a_malformed_body_is_refused_with_the_field_named(bad: bytes, field: str | None) -> None:
    with pytest.raises(Malformed) as refused:
        decode(bad)
    fault = refused.value.fault
    assert (fault.status, fault.blame) == (400, "caller")
    assert field is None or fault.param == field
    assert field is None or field.rpartition(".")[2] in fault.message


CACHES = st.sampled_from([None, CachePoint("5m"), CachePoint("1h")])
WORDS = st.text(min_size=1, max_size=8)
SOURCES = st.one_of(st.just(Inline("image/png", "QQ==")), st.builds(Url, WORDS), st.builds(Stored, WORDS, st.just(ID)))
TEXTS = st.builds(Text, text=WORDS, cache=CACHES)
IMAGES = st.builds(Image, source=SOURCES, cache=CACHES)
FILES = st.builds(
    File,
    source=st.sampled_from([Inline("application/pdf", "QQ=="), Inline("text/plain", PLAIN_TEXT), Url("https://u")]),
    name=st.text(max_size=3),
    context=st.text(max_size=3),
    cited=st.booleans(),
    cache=CACHES,
)
IDS = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
RESULTS = st.builds(
    ToolResult,
    call_id=IDS,
    content=st.lists(TEXTS | IMAGES | FILES, max_size=2).map(tuple),
    failed=st.booleans(),
    cache=CACHES,
)
USERS = st.tuples(st.lists(RESULTS, max_size=2), st.lists(TEXTS | IMAGES | FILES, min_size=1, max_size=3)).map(
    lambda both: Message(role="user", parts=(*both[0], *both[1]))
)
MODELS = st.lists(
    TEXTS
    | st.builds(
        Thinking, text=st.text(max_size=4), seal=WORDS.filter(lambda s: not s.startswith("ys1.")), origin=st.just(ID)
    )
    | st.builds(ToolCall, id=IDS, name=WORDS, arguments=st.sampled_from(["{}", '{"a": 1.0}']), cache=CACHES),
    min_size=1,
    max_size=3,
).map(lambda parts: Message(role="assistant", parts=tuple(parts)))
REQUESTS = st.builds(
    ChatRequest,
    model=WORDS,
    system=st.lists(TEXTS, max_size=2).map(tuple),
    messages=st.lists(st.tuples(USERS, MODELS), min_size=1, max_size=2).map(
        lambda pairs: tuple(m for p in pairs for m in p)
    ),
    max_tokens=st.integers(3_000, 9_000),
    stop=st.lists(WORDS.filter(lambda stop: stop.strip() != ""), max_size=2).map(tuple),
    sampling=st.builds(Sampling, top_k=st.none() | st.integers(0, 9), temperature=st.none() | st.floats(0, 1)),
    tools=st.just((Tool(name="f", parameters=Raw(b'{"type": "object"}')),)),
    tool_choice=st.sampled_from(
        [None, ToolChoice(mode="auto"), ToolChoice(mode="named", name="f"), ToolChoice(mode="none")]
    ),
    stream=st.booleans(),
    user=st.text(max_size=3),
    service_tier=st.sampled_from(["", "auto", "default"]),
    output=st.none() | st.just(OutputForm(schema=Raw(b"{}"))),
)


@settings(max_examples=100)
@given(REQUESTS)
def test_what_the_format_can_say_survives_a_round_trip(asked: ChatRequest) -> None:
    encoded = CODEC.encode_request(asked, PLAIN)
    assert encoded.losses == ()
    assert decode(encoded.body) == asked


@settings(max_examples=150)
@given(st.data())
def test_any_damage_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    good = bytearray(asking(*[block for _, block, _ in SAME]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(good) - 1))
        good[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=4))
    try:
        asked = decode(bytes(good))
    except Malformed:
        return
    CODEC.encode_request(asked, PLAIN)


@pytest.mark.parametrize("outer", ["tool_result", "document"])
def test_depth_has_an_end(outer: str) -> None:
    opening, closing = {
        "tool_result": (b'{"type":"tool_result","tool_use_id":"t","content":[', b"]}"),
        "document": (b'{"type":"document","source":{"type":"content","content":[', b"]}}"),
    }[outer]
    for depth in (300, 3_000):
        nested = asking("@").replace(b'"@"', opening * depth + closing * depth)
        with suppress(Malformed):
            assert len(decode(nested).messages[1].parts) == 1
        peek = MESSAGES.peek(nested, NO_WORDS)
        assert isinstance(peek, Fault) or peek.prompt_tokens == WHOLE_CONTEXT
