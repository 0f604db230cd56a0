"""The tags of a call: what the header may say, and whom the bodies of each format name."""

import json
from typing import Any

import pytest

from yescale.domain.faults import Fault
from yescale.domain.tags import NAMES, TOLD, parse_tag
from yescale.gateway.metadata import HEADER, read_metadata
from yescale.protocols import anthropic_messages, openai_chat, openai_responses
from yescale.protocols.codec import NO_WORDS
from yescale.protocols.passthrough import Format, Peek

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
RESPONSE = {"model": "m", "input": "hi"}
COMPLETION = {"model": "m", "prompt": "hi"}
MESSAGE = CHAT | {"max_tokens": 5}


def test_the_header_gives_its_five_tags() -> None:
    said = {name: f"value of {name}" for name in reversed(TOLD)}
    assert read_metadata([(b"host", b"x"), (HEADER, json.dumps(said).encode())]) == tuple((n, said[n]) for n in TOLD)
    assert read_metadata([(HEADER, '{"plan": "Đồng", "feature": ""}'.encode())]) == (("plan", "Đồng"),)
    assert read_metadata([(HEADER, b"{}")]) == ()
    assert read_metadata([(HEADER, json.dumps({"plan": "x" * 256}).encode())]) == (("plan", "x" * 256),)


@pytest.mark.parametrize(
    "value",
    [
        b"", b"null", b"[]", b'"plan"', b"{", b'{"plan": 1}', b'{"plan": null}', b'{"colour": "red"}',
        b'{"plan": "\xff"}',
        b'{"plan": "a\\u0000b"}', b'{"plan": "a\\nb"}', json.dumps({"plan": "x" * 257}).encode(), b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_header_that_says_anything_else_is_refused_by_name(value: bytes) -> None:
    fault = read_metadata([(HEADER, value)])
    assert isinstance(fault, Fault)
    assert (fault.status, fault.param) == (400, "X-YEScale-Metadata")
    assert fault.message.startswith("The header 'X-YEScale-Metadata'")


def test_two_headers_are_refused() -> None:
    assert isinstance(read_metadata([(HEADER, b"{}"), (HEADER, b"{}")]), Fault)


@pytest.mark.parametrize(
    ("form", "body", "more", "tags"),
    [
        (openai_chat.CHAT, CHAT, {"user": "ann", "safety_identifier": "s"},
         (("user", "ann"), ("safety_identifier", "s"))),
        (openai_chat.CHAT, CHAT, {"safety_identifier": "s"}, (("safety_identifier", "s"),)),
        (openai_chat.CHAT, CHAT, {"user": "a\x00\nb" + "x" * 300}, (("user", "ab" + "x" * 252),)),
        (openai_chat.CHAT, CHAT, {"user": None}, ()),
        (openai_chat.CHAT, CHAT, {"user": 7}, ()),
        (openai_chat.CHAT, CHAT, {"user": ""}, ()),
        (openai_responses.RESPONSES, RESPONSE, {"user": "ann", "safety_identifier": "s"},
         (("user", "ann"), ("safety_identifier", "s"))),
        (openai_chat.COMPLETIONS, COMPLETION, {"user": "ann"}, (("user", "ann"),)),
        (openai_chat.EMBEDDINGS, RESPONSE, {"user": "ann"}, (("user", "ann"),)),
        (anthropic_messages.MESSAGES, MESSAGE, {"metadata": {"user_id": "ann"}}, (("user", "ann"),)),
        (anthropic_messages.MESSAGES, MESSAGE, {"metadata": {}}, ()),
        (anthropic_messages.MESSAGES, MESSAGE, {"metadata": 5}, ()),
    ],
)  # fmt: skip
def test_the_end_user_of_a_body_is_a_tag(
    form: Format, body: dict[str, Any], more: dict[str, Any], tags: tuple[tuple[str, str], ...]
) -> None:
    peek = form.peek(json.dumps(body | more).encode(), NO_WORDS)
    assert isinstance(peek, Peek)
    assert peek.tags == tags
    without = form.peek(json.dumps(body).encode(), NO_WORDS)
    assert isinstance(without, Peek)
    assert without.tags == ()


def test_a_body_may_name_its_user_twice_as_before() -> None:
    body = b'{"model":"m","user":"a","messages":[{"role":"user","content":"hi"}],"user":"b"}'
    peek = openai_chat.CHAT.peek(body, NO_WORDS)
    assert isinstance(peek, Peek)
    assert peek.tags == (("user", "b"),)


def test_a_tag_is_written_as_name_and_value() -> None:
    assert parse_tag("session_id:a:b") == ("session_id", "a:b")
    assert [parse_tag(wrong) for wrong in ("", "plan", "plan:", ":x", "colour:red")] == [None] * 5
    assert {parse_tag(f"{name}:1") for name in NAMES} == {(name, "1") for name in NAMES}
