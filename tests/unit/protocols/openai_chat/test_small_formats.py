"""Embeddings by path, moderations and rerank: read for price and route, changed only where they must be."""

import json
from typing import Any

import pytest

from yescale.domain.faults import Fault
from yescale.domain.usage import Meter
from yescale.protocols.codec import NO_WORDS, PathWords
from yescale.protocols.openai_chat import EMBEDDINGS, MODERATIONS, RERANK
from yescale.protocols.passthrough import Change, Format, Peek

PATH = PathWords(model="by-path")


def look(format_: Format, body: bytes, words: PathWords = NO_WORDS) -> Peek:
    found = format_.peek(body, words)
    assert isinstance(found, Peek), found
    return found


@pytest.mark.parametrize(
    ("body", "model", "sent"),
    [
        (b'{ "input" : "hi" }', "by-path", b'{"model":"up", "input" : "hi" }'),
        (b'{"input":"hi","x":{"model":"inner"}}', "by-path", b'{"model":"up","input":"hi","x":{"model":"inner"}}'),
        (b'{"input":["model"]}', "by-path", b'{"model":"up","input":["model"]}'),
        (b'{"input":"hi","mod\\u0065l":"said"}', "said", b'{"input":"hi","mod\\u0065l":"up"}'),
        (b'{"input":"hi","model":"said"}', "said", b'{"input":"hi","model":"up"}'),
    ],
)
def test_a_path_names_the_model_where_the_body_does_not(body: bytes, model: str, sent: bytes) -> None:
    found = look(EMBEDDINGS, body, PATH)
    assert found.model == model
    assert EMBEDDINGS.rewrite(body, found, Change(model="up")) == sent
    same = EMBEDDINGS.rewrite(body, found, Change(model=model))
    assert json.loads(same)["model"] == model


@pytest.mark.parametrize("body", [b'{"input":"hi"}', b'{"model":7,"input":"hi"}', b'{"model":"","input":"hi"}'])
def test_without_a_path_the_body_must_name_the_model(body: bytes) -> None:
    found = EMBEDDINGS.peek(body, NO_WORDS)
    assert isinstance(found, Fault)
    assert found.param == "model"


def test_a_path_mends_no_model_that_is_wrong() -> None:
    assert isinstance(EMBEDDINGS.peek(b'{"model":7,"input":"hi"}', PATH), Fault)


def test_a_moderation_has_a_default_model_which_is_sent() -> None:
    body = b'{"input":"hi"}'
    found = look(MODERATIONS, body)
    assert (found.model, found.outputs) == ("text-moderation-latest", False)
    assert MODERATIONS.rewrite(body, found, Change(model=found.model)) == (
        b'{"model":"text-moderation-latest","input":"hi"}'
    )
    named = b'{"model":"omni-moderation-latest","input":[{"type":"text","text":"hi"}]}'
    found = look(MODERATIONS, named)
    assert found.model == "omni-moderation-latest"
    assert MODERATIONS.rewrite(named, found, Change(model=found.model)) == named


def test_a_moderation_counts_as_a_request_and_no_tokens() -> None:
    found = MODERATIONS.read_answer(b'{"id":"modr-1","model":"m","results":[{"flagged":false}]}')
    assert found is not None
    assert found.usage == {Meter.INPUT_TOKENS: 0, Meter.REQUESTS: 1}
    assert MODERATIONS.read_answer(b'{"error":{}}') is None


@pytest.mark.parametrize(
    ("format_", "fields", "param"),
    [
        (MODERATIONS, {"model": "m"}, "input"),
        (MODERATIONS, {"model": "m", "input": 7}, "input"),
        (MODERATIONS, {"model": "", "input": "x"}, "model"),
        (MODERATIONS, {"model": None, "input": "x"}, "model"),
        (RERANK, {"query": "q", "documents": ["a"]}, "model"),
        (RERANK, {"model": "", "query": "q", "documents": ["a"]}, "model"),
        (RERANK, {"model": "m", "documents": ["a"]}, "query"),
        (RERANK, {"model": "m", "query": 7, "documents": ["a"]}, "query"),
        (RERANK, {"model": "m", "query": "q", "documents": []}, "documents"),
        (RERANK, {"model": "m", "query": "q", "documents": ["a", 7]}, "documents[1]"),
        (RERANK, {"model": "m", "query": "q", "documents": ["a"], "top_n": 0}, "top_n"),
    ],
)
def test_a_bad_request_names_the_field_at_fault(format_: Format, fields: dict[str, Any], param: str) -> None:
    found = format_.peek(json.dumps(fields).encode(), NO_WORDS)
    assert isinstance(found, Fault)
    assert found.param == param


@pytest.mark.parametrize("format_", [MODERATIONS, RERANK])
def test_a_field_that_is_said_twice_is_refused(format_: Format) -> None:
    body = b'{"model":"a","input":"x","query":"q","documents":["d"],"model":"b"}'
    found = format_.peek(body, NO_WORDS)
    assert isinstance(found, Fault)
    assert found.param == "model"


def test_the_query_counts_once_for_each_document() -> None:
    query = "q" * 1_000
    one = look(RERANK, json.dumps({"model": "m", "query": query, "documents": ["a"]}).encode())
    ten = look(RERANK, json.dumps({"model": "m", "query": query, "documents": ["a"] * 10}).encode())
    assert ten.prompt_tokens - one.prompt_tokens > 4_000


def test_only_the_model_changes_in_a_rerank() -> None:
    body = b'{"query":"q", "documents":[{"text":"model"}],"model" : "m","top_n":1}'
    changed = RERANK.rewrite(body, look(RERANK, body), Change(model="up"))
    assert changed == b'{"query":"q", "documents":[{"text":"model"}],"model" : "up","top_n":1}'


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        ({"results": [], "usage": {"total_tokens": 9, "prompt_tokens": 8}}, {Meter.INPUT_TOKENS: 9}),
        ({"results": [], "usage": {"total_tokens": 0}}, {Meter.INPUT_TOKENS: 0}),
        ({"results": [], "meta": {"billed_units": {"search_units": 2}}}, {Meter.REQUESTS: 2}),
        (
            {"results": [], "meta": {"billed_units": {"search_units": 1.0}, "tokens": {"input_tokens": 7}}},
            {Meter.INPUT_TOKENS: 7, Meter.REQUESTS: 1},
        ),
        ({"results": []}, None),
    ],
)
def test_a_ranking_reports_tokens_or_searches(answer: dict[str, Any], usage: dict[Meter, int] | None) -> None:
    found = RERANK.read_answer(json.dumps(answer).encode())
    assert found is not None
    assert found.usage == usage


def test_what_is_no_ranking_is_none() -> None:
    assert RERANK.read_answer(b'{"message":"invalid api token"}') is None
