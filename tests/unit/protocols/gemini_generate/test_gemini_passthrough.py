"""Calls that pass unchanged: what price and route read of them, the bytes that may differ, errors in Google's form."""

import json
from typing import Any

import pytest

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.usage import NO_USAGE, Meter
from yescale.protocols.codec import PathWords
from yescale.protocols.gemini_generate import BATCH_EMBED, COUNT, EMBED, GENERATE, GENERATE_ARRAY
from yescale.protocols.passthrough import Change, Format, Peek

WORDS = PathWords("gemini-2.5-flash", True)
HI = b'"contents":[{"parts":[{"text":"hi"}]}]'
WHOLE_CONTEXT = 2**40


def peek(body: bytes, format_: Format = GENERATE) -> Peek:
    found = format_.peek(body, WORDS)
    assert isinstance(found, Peek)
    return found


def test_model_and_stream_come_from_the_path_and_limits_from_either_spelling() -> None:
    found = peek(b'{%b,"generation_config":{"max_output_tokens":"40","candidateCount":3}}' % HI)
    assert (found.model, found.stream, found.declared, found.n) == ("gemini-2.5-flash", True, 40, 3)
    found = peek(b"{%b}" % HI)
    assert (found.declared, found.n) == (None, 1)


REFUSED = [
    (b"[]", None),
    (b"{}", "contents"),
    (b'{"contents":[]}', "contents"),
    (b'{%b,"generationConfig":{"maxOutputTokens":0}}' % HI, "generationConfig.maxOutputTokens"),
    (b'{%b,"generationConfig":{"candidateCount":1000}}' % HI, "generationConfig.candidateCount"),
    (b'{%b,"generationConfig":{"maxOutputTokens":"x"}}' % HI, "generationConfig.maxOutputTokens"),
    (b'{%b,"generationConfig":{},"generation_config":{}}' % HI, "generationConfig"),
    (b'{%b,"generationConfig":{},"generationConfig":{}}' % HI, "generationConfig"),
    (b'{%b,"generationConfig":{"maxOutputTokens":1,"maxOutputTokens":2}}' % HI, "maxOutputTokens"),
]


@pytest.mark.parametrize(("body", "field"), REFUSED)
def test_what_cannot_be_priced_is_refused_with_its_field(body: bytes, field: str | None) -> None:
    found = GENERATE.peek(body, WORDS)
    assert isinstance(found, Fault)
    assert (found.status, found.param) == (400, field)


BLOB = b"A" * 60_000


def content(part: bytes) -> bytes:
    return b'{"contents":[{"parts":[%b]}]}' % part


BOUNDS = [
    (content(b'{"inlineData":{"mimeType":"image/png","data":"%b"}}' % BLOB), 3_000, 4_000),
    (content(b'{"inline_data":{"mime_type":"audio/wav","data":"%b"}}' % BLOB), 3_600, 4_600),
    (content(b'{"inlineData":{"mimeType":"application/pdf","data":"%b"}}' % BLOB), WHOLE_CONTEXT, WHOLE_CONTEXT),
    (content(b'{"inlineData":{"mimeType":"video/mp4","data":"%b"}}' % BLOB), WHOLE_CONTEXT, WHOLE_CONTEXT),
    (
        content(
            b'{"inlineData":{"mimeType":"application/pdf","data":"AAAA"}},'
            b'{"functionResponse":{"name":"f","response":{"mimeType":"image/png"}}}'
        ),
        WHOLE_CONTEXT,
        WHOLE_CONTEXT,
    ),
    (
        content(
            b'{"inlineData":{"mimeType":"image/png","data":"AAAA"}},'
            b'{"functionResponse":{"name":"f","response":{"data":"%b"}}}' % BLOB
        ),
        33_000,
        34_000,
    ),
    (content(b'{"fileData":{"fileUri":"https://a"}}'), WHOLE_CONTEXT, WHOLE_CONTEXT),
    (content(b'{"file\\u0044ata":{"fileUri":"https://a"}}'), WHOLE_CONTEXT, WHOLE_CONTEXT),
    (content(b'{"text":"%b"}' % BLOB), 30_000, 31_000),
    (content(b'{"text":"say \\"fileData\\": and \\"googleSearch\\":"}'), 10, 100),
    (b'{%b,"tools":[{"google_search":{}}]}' % HI, WHOLE_CONTEXT, WHOLE_CONTEXT),
    (b'{%b,"cachedContent":"cachedContents/a"}' % HI, WHOLE_CONTEXT, WHOLE_CONTEXT),
]


@pytest.mark.parametrize(("body", "least", "most"), BOUNDS)
def test_a_prompt_is_never_counted_too_low(body: bytes, least: int, most: int) -> None:
    assert least <= peek(body).prompt_tokens <= most


LIMITED = [
    (b"{%b}" % HI, b'{"generationConfig":{"maxOutputTokens":9},%b}' % HI),
    (b'{"generationConfig":{},%b}' % HI, b'{"generationConfig":{"maxOutputTokens":9},%b}' % HI),
    (b'{"generationConfig":null,%b}' % HI, b'{"generationConfig":{"maxOutputTokens":9},%b}' % HI),
    (
        b'{%b, "generation_config": {"top_k" : 1.0}}' % HI,
        b'{%b, "generation_config": {"maxOutputTokens":9,"top_k" : 1.0}}' % HI,
    ),
    (
        b'{%b,"generationConfig":{"topK":1,"max_output_tokens":null}}' % HI,
        b'{%b,"generationConfig":{"topK":1,"max_output_tokens":9}}' % HI,
    ),
]


@pytest.mark.parametrize(("body", "limited"), LIMITED)
def test_a_limit_goes_where_it_belongs_and_every_other_byte_stays(body: bytes, limited: bytes) -> None:
    found = peek(body)
    assert GENERATE.rewrite(body, found, Change(model=found.model)) == body
    assert GENERATE.rewrite(body, found, Change(model="other")) == body
    assert GENERATE.rewrite(body, found, Change(model=found.model, limit=9)) == limited


def test_a_model_that_the_body_names_is_replaced_too() -> None:
    body = b'{"model": "models/gemini-2.5-flash",%b}' % HI
    assert GENERATE.rewrite(body, peek(body), Change(model="up")) == b'{"model": "models/up",%b}' % HI
    batch = b'{"requests":[{"model":"models/m","content":{"parts":[{"text":"\\u0061"}]}},{"content":{}}]}'
    out = BATCH_EMBED.rewrite(batch, peek(batch, BATCH_EMBED), Change(model="up"))
    assert out == b'{"requests":[{"model":"models/up","content":{"parts":[{"text":"\\u0061"}]}},{"content":{}}]}'
    count = b'{"generateContentRequest":{"model":"models/m","contents":[]}}'
    out = COUNT.rewrite(count, peek(count, COUNT), Change(model="up"))
    assert out == b'{"generateContentRequest":{"model":"models/up","contents":[]}}'
    assert COUNT.rewrite(count, peek(count, COUNT), Change(model=WORDS.model)) == count


def test_an_answer_that_passes_is_read() -> None:
    parts = [{"text": "hi"}, {"functionCall": {"name": "f", "args": {"a": 1}}}]
    body = {"candidates": [{"content": {"parts": parts}}], "usageMetadata": {"promptTokenCount": 2}}
    data = json.dumps(body, separators=(",", ":")).encode()
    answer = GENERATE.read_answer(data)
    assert answer is not None
    assert answer.usage == {Meter.INPUT_TOKENS: 2, Meter.OUTPUT_TOKENS: 0}
    assert answer.text_bytes(data) == len("hi") + len('"a":1')


def test_embeddings_and_counts_are_read() -> None:
    for format_, body in (
        (EMBED, b'{"embedding":{"values":[1.0]}}'),
        (BATCH_EMBED, b'{"embeddings":[{"values":[1]}]}'),
    ):
        answer = format_.read_answer(body)
        assert answer is not None
        assert answer.usage is None
        assert format_.read_answer(b"{}") is None
    answer = EMBED.read_answer(b'{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":3}}')
    assert answer is not None
    assert answer.usage == {Meter.INPUT_TOKENS: 3}
    counted = COUNT.read_answer(b'{"totalTokens":31}')
    assert counted is not None
    assert counted.usage == NO_USAGE
    assert COUNT.read_answer(b"{}") is None
    for format_, body in ((EMBED, b"{}"), (COUNT, b"{}"), (EMBED, b"[]"), (COUNT, b"x")):
        assert isinstance(format_.peek(body, WORDS), Fault)
    assert not peek(b'{"content":{"parts":[{"text":"a"}]}}', EMBED).outputs


FAULTS = [
    (faults.MALFORMED.saying("Bad.", param="contents"), 400, "INVALID_ARGUMENT"),
    (faults.INVALID_KEY, 401, "UNAUTHENTICATED"),
    (faults.MODEL_NOT_ALLOWED, 403, "PERMISSION_DENIED"),
    (faults.MODEL_NOT_FOUND, 404, "NOT_FOUND"),
    (faults.TOO_LARGE, 413, "INVALID_ARGUMENT"),
    (faults.RATE_LIMITED.saying("Slow.", retry_after_s=7), 429, "RESOURCE_EXHAUSTED"),
    (faults.INTERNAL, 500, "INTERNAL"),
    (faults.NOT_IMPLEMENTED, 501, "UNIMPLEMENTED"),
    (faults.UPSTREAM_ERROR, 502, "UNAVAILABLE"),
    (faults.UPSTREAM_TIMEOUT, 504, "DEADLINE_EXCEEDED"),
]


@pytest.mark.parametrize(("fault", "code", "status"), FAULTS)
def test_a_fault_is_rendered_in_googles_words_and_read_again(fault: Fault, code: int, status: str) -> None:
    error: dict[str, Any] = json.loads(GENERATE.render(fault, "r1"))["error"]
    assert (error["code"], error["status"]) == (code, status)
    assert error["message"] == f"{fault.message} (request id: r1)"
    back = GENERATE.read_error(GENERATE.render(fault, "r1"))
    assert (back.code, back.type, back.retry_after_s) == (fault.code, status, fault.retry_after_s)
    event = GENERATE.render_event(fault, "r1")
    assert event == b"data: " + GENERATE.render(fault, "r1") + b"\r\n\r\n"
    assert json.loads(b"[{}" + GENERATE_ARRAY.render_event(fault, "r1")) == [{}, {"error": error}]


def test_an_upstreams_error_is_read_in_every_form() -> None:
    error = {
        "error": {
            "code": 429,
            "message": "quota",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36.5s"}],
        }
    }
    found = GENERATE.read_error(json.dumps(error).encode())
    assert (found.message, found.code, found.type, found.retry_after_s) == (
        "quota",
        "RESOURCE_EXHAUSTED",
        "RESOURCE_EXHAUSTED",
        37,
    )
    assert GENERATE.read_error(json.dumps([error]).encode()) == found
    for body in (b"", b"[]", b"<html>", b'{"error":"x"}', b"{}"):
        assert GENERATE.read_error(body).message == ""
