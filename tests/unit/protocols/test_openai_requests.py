"""Peeking at OpenAI requests and splicing them: only what must change does, every other byte stays."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yescale.domain.faults import Fault
from yescale.protocols.openai_chat.requests import peek_chat, peek_embeddings, rewrite
from yescale.protocols.passthrough import Change, Peek

MESSAGES = '"messages":[{"role":"user","content":"hi"}]'


def peek(body: str | bytes) -> Peek:
    found = peek_chat(body.encode() if isinstance(body, str) else body)
    assert isinstance(found, Peek), found
    return found


def change(body: str, **changes: Any) -> str:
    raw = body.encode()
    found = peek(raw)
    return rewrite(raw, found, Change(**{"model": found.model, **changes})).decode()


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ("{", None, "not valid JSON"),
        ('{"model":"m"', None, "truncated"),
        ('{"model":"m",' + MESSAGES + "} x", None, "byte"),
        ("[1]", None, "must be a JSON object"),
        ("{" + MESSAGES + "}", "model", "'model' is required"),
        ('{"model":"m"}', "messages", "'messages' is required"),
        ('{"model":1,' + MESSAGES + "}", "model", "wrong type"),
        ('{"model":"",' + MESSAGES + "}", "model", "empty"),
        ('{"model":"m","messages":"hi"}', "messages", "array"),
        ('{"model":"m","messages":[ ]}', "messages", "at least one"),
        ('{"model":"m","n":0,' + MESSAGES + "}", "n", "between"),
        ('{"model":"m","n":1.5,' + MESSAGES + "}", "n", "wrong type"),
        ('{"model":"m","max_tokens":-1,' + MESSAGES + "}", "max_tokens", "between"),
        ('{"model":"m","max_completion_tokens":0,' + MESSAGES + "}", "max_completion_tokens", "between"),
        ('{"model":"m","max_tokens":1e400,' + MESSAGES + "}", "max_tokens", "wrong type"),
        ('{"model":"m","stream":"yes",' + MESSAGES + "}", "stream", "wrong type"),
        (
            '{"model":"m","stream_options":{"include_usage":1},' + MESSAGES + "}",
            "stream_options.include_usage",
            "wrong",
        ),
        ('{"model":"a","model":"b",' + MESSAGES + "}", "model", "twice"),
        ('{"mod\\u0065l":"a","model":"b",' + MESSAGES + "}", "model", "twice"),
        ('{"model":"m","max_tokens":1,"max_tokens":9,' + MESSAGES + "}", "max_tokens", "twice"),
        ('{"model":"m","n":1,"\\u006e":9,' + MESSAGES + "}", "n", "twice"),
    ],
)
def test_a_bad_request_names_the_field_at_fault(body: str, param: str | None, says: str) -> None:
    found = peek_chat(body.encode())
    assert isinstance(found, Fault)
    assert (found.status, found.param) == (400, param)
    assert says in found.message


def test_bytes_that_are_no_text_are_refused() -> None:
    assert isinstance(peek_chat(b'{"model":"\xff",' + MESSAGES.encode() + b"}"), Fault)
    assert isinstance(peek_chat(b'{"model":"m","messages":' + b"[" * 90_000 + b"]" * 90_000 + b"}"), Fault)


def test_names_that_repeat_deeper_are_no_duplicates() -> None:
    body = '{"model":"m","tools":[{"model":"x","n":1,"n":2}],"messages":[{"model":"\\"model\\":"}],"n":3}'
    assert peek(body).n == 3


def test_what_price_and_route_need_is_read() -> None:
    found = peek('{"model":"m","stream":true,"max_tokens":5,"max_completion_tokens":7,"n":2,' + MESSAGES + "}")
    assert (found.model, found.stream, found.declared, found.n, found.wants_usage) == ("m", True, 7, 2, False)


def test_absent_null_and_said_are_three_things() -> None:
    """Promise 30."""
    assert peek('{"model":"m",' + MESSAGES + "}").limit_field == ""
    assert peek('{"model":"m","max_tokens":null,' + MESSAGES + "}").limit_field == "max_tokens"
    assert peek('{"model":"m","stream_options":null,' + MESSAGES + "}").options_said


def test_a_request_that_needs_no_change_is_the_same_object() -> None:
    """Promise 30: nothing is added that the client did not send."""
    body = b'{ "model" : "m", "temperature": 2.0e3, ' + MESSAGES.encode() + b"}\n"
    assert rewrite(body, peek(body), Change(model="m")) is body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (' {"model" : "m" ,%s}', ' {"model" : "other" ,%s}'),
        ('{%s, "model":\n"m"}', '{%s, "model":\n"other"}'),
        ('{"x":{"model":"m"},%s,"model":"m"}', '{"x":{"model":"m"},%s,"model":"other"}'),
        ('{"x":"\\"model\\":\\"m\\"",%s,"model":"m"}', '{"x":"\\"model\\":\\"m\\"",%s,"model":"other"}'),
        ('{%s,"mod\\u0065l":"m","big":1e400,"z":[[{}]]}', '{%s,"mod\\u0065l":"other","big":1e400,"z":[[{}]]}'),
    ],
)
def test_the_model_is_replaced_and_nothing_else(body: str, expected: str) -> None:
    assert change(body % MESSAGES, model="other") == expected % MESSAGES


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("null", '{"include_usage":true}'),
        ("{ }", '{"include_usage":true}'),
        ('{"include_usage":false}', '{"include_usage":true}'),
        ('{ "include_usage" : null, "x":1}', '{ "include_usage" : true, "x":1}'),
        ('{"x":{"include_usage":false}}', '{"include_usage":true,"x":{"include_usage":false}}'),
    ],
)
def test_usage_is_asked_for_inside_the_options_that_are_there(options: str, expected: str) -> None:
    body = '{"model":"m","stream":true,"stream_options":%s,%s}'
    assert change(body % (options, MESSAGES)) == body % (expected, MESSAGES)


def test_usage_is_asked_for_in_front_where_there_are_no_options() -> None:
    body = '{"model":"m","stream":true,' + MESSAGES + "}"
    assert change(body) == '{"stream_options":{"include_usage":true},' + body[1:]


def test_a_stream_that_asks_for_usage_is_left_alone() -> None:
    body = '{"model":"m","stream":true,"stream_options":{"include_usage":true},' + MESSAGES + "}"
    assert change(body) == body


def test_a_limit_goes_under_the_name_that_the_client_left_empty() -> None:
    assert '"max_tokens": 9,' in change(
        '{"model":"m","max_tokens": null,' + MESSAGES + "}", limit=9, limit_field="other"
    )
    assert change('{"model":"m",' + MESSAGES + "}", limit=9, limit_field="max_completion_tokens").startswith(
        '{"max_completion_tokens":9,"model"'
    )


NAMES = st.sampled_from(["model", "n", "stream", "tools", "x", "messages", "a\\u0062", "é", '\\"model\\"'])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(['"model":', "}", "]", ",", "\\"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["model", "n", "q"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(extra=st.dictionaries(st.text(max_size=6), VALUES, max_size=5), seed=st.integers(0, 9), ascii_only=st.booleans())
def test_any_request_reads_the_same_but_for_the_change(extra: dict[str, Any], seed: int, ascii_only: bool) -> None:
    request = {"model": "m", "messages": [{"role": "user", "content": "model"}], "stream": True}
    said = {key: value for key, value in extra.items() if key not in PRICED} | request
    keys = list(said)
    random.Random(seed).shuffle(keys)
    body = json.dumps({key: said[key] for key in keys}, ensure_ascii=ascii_only, indent=seed % 3 or None).encode(
        errors="surrogatepass"
    )
    found = peek_chat(body)
    if isinstance(found, Fault):  # a lone surrogate
        return
    changed = rewrite(body, found, Change(model="other", limit=5))
    expected = said | {"model": "other", "stream_options": {"include_usage": True}, "max_tokens": 5}
    assert json.loads(changed) == expected
    assert len(changed) == len(body) + len('"stream_options":{"include_usage":true},"max_tokens":5,') + len("othe")


PRICED = {"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n"}


def test_inline_pictures_count_by_table_not_by_bytes() -> None:
    picture = "data:image/png;base64," + "A" * 400_000
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}}]}],
    }
    assert peek(json.dumps(body)).prompt_tokens < 5_000


def test_stored_files_may_fill_the_context() -> None:
    body = '{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}'
    assert peek(body).prompt_tokens > 10**9


@pytest.mark.parametrize(("body", "param"), [('{"model":"m"}', "input"), ('{"model":"m","input":{}}', "input")])
def test_embeddings_need_an_input(body: str, param: str) -> None:
    found = peek_embeddings(body.encode())
    assert isinstance(found, Fault)
    assert found.param == param


def test_embeddings_make_no_output() -> None:
    found = peek_embeddings(b'{"model":"m","input":["a"],"encoding_format":"base64"}')
    assert isinstance(found, Peek)
    assert not found.outputs


PICTURE = "QUJD" * 4_000


def asked(*parts: Any, **more: Any) -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": list(parts)}], **more}
    return json.dumps(body, separators=(",", ":")).encode()


def picture(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize(
    "text", [f"data:image/png;base64,{PICTURE}", f'"url":"data:image/png;base64,{PICTURE}', f"see ;base64,{PICTURE}"]
)
def test_a_text_that_looks_like_a_picture_is_paid_as_text(text: str) -> None:
    """Promise 1: what a call is admitted against is the most that it can cost, beside a real picture too."""
    found = peek(asked({"type": "text", "text": text}, picture("https://a.example/b.png")))
    assert found.prompt_tokens >= len(text) // 2


def test_nothing_hides_behind_a_picture() -> None:
    """A quote that the picture's string escapes must not end it for us: the model that is priced is the one sent."""
    hidden = asked(picture(f"data:image/png;base64,{PICTURE}")).replace(b'"}}', b'\\",\\"model\\":\\"dear"}}')
    assert peek(hidden).model == json.loads(hidden)["model"] == "m"
    doubled = asked(picture(f"data:image/png;base64,{PICTURE}"))[:-1] + b',"model":"dear"}'
    assert isinstance(peek_chat(doubled), Fault)


def test_what_is_wrong_beside_a_picture_is_named() -> None:
    fault = peek_chat(asked(picture(f"data:image/png;base64,{PICTURE}"), n="x"))
    assert isinstance(fault, Fault)
    assert fault.param == "n"


LONG = json.dumps("say " * 400)


@pytest.mark.parametrize(
    "messages",
    [
        '{"role":"user","content":"a","attachments":[{"file_id":"f"}]}',
        '{"content":LONG},{"content":"b"},{"content":LONG,"file_id":"f"}',
        '{"content":[{"file":{"file_id":"f"}}],"content":LONG}',
        '{"c\\u006fntent":LONG},{"content":[{"file":{"file_data":"f"}}]}',
    ],
)
@pytest.mark.parametrize("more", ["", ',"stream":true'])
def test_a_file_anywhere_in_the_messages_may_fill_the_context(messages: str, more: str) -> None:
    """Promise 1: a field beside the content, or one that a second content hides, counts as well."""
    assert peek(f'{{"model":"m","messages":[{messages.replace("LONG", LONG)}]{more}}}').prompt_tokens > 10**9


def test_a_file_beside_the_messages_may_fill_the_context_and_one_that_a_text_names_does_not() -> None:
    assert peek(f'{{"model":"m","x":{{"file_id":"f"}},{MESSAGES}}}').prompt_tokens > 10**9
    quoted = json.dumps('"file_id" ' * 100)
    assert peek(f'{{"model":"m","messages":[{{"content":{quoted}}}]}}').prompt_tokens < 10_000


@pytest.mark.parametrize(
    "order",
    [
        ["model", "stream_options", "messages", "max_tokens"],
        ["messages", "model", "max_tokens", "stream_options"],
        ["max_tokens", "metadata", "messages", "stream_options", "model"],
    ],
)
def test_fields_around_several_long_texts_are_changed_where_they_lie(order: list[str]) -> None:
    text = "say " * 400
    said: dict[str, Any] = {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": False},
        "max_tokens": None,
        "metadata": {"content": text},
        "messages": [{"content": text}, {"content": "short"}, {"content": text + "more"}, {"content": text}],
    }
    body = json.dumps({name: said[name] for name in (*order, "stream")})
    changed = json.loads(change(body, model="other", limit=7))
    assert changed == json.loads(body) | {
        "model": "other", "stream_options": {"include_usage": True}, "max_tokens": 7
    }  # fmt: skip


def test_a_field_said_twice_around_long_texts_is_found() -> None:
    """Promise 1: what is priced is what is sent."""
    long = json.dumps("say " * 400)
    body = f'{{"model":"m","messages":[{{"content":{long}}},{{"content":{long}}}],"model":"dear"}}'
    assert isinstance(peek_chat(body.encode()), Fault)


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ('{"model":"m","stream":true,' + MESSAGES + "}", '{"model":"m","stream":true,' + MESSAGES + "}"),
        (
            '{"model":"m","stream":true,"stream_options":{"include_usage":true},' + MESSAGES + "}",
            '{"model":"m","stream":true,' + MESSAGES + "}",
        ),
        (
            '{"model":"m","stream":true,' + MESSAGES + ' , "stream_options" : null }',
            '{"model":"m","stream":true,' + MESSAGES + "  }",
        ),
        (
            '{ "stream_options": {"include_usage":false} , "model":"m","stream":true,' + MESSAGES + "}",
            '{  "model":"m","stream":true,' + MESSAGES + "}",
        ),
        (
            r'{"model":"m","stream":true,"stream_option\u0073":{"include_usage":true},' + MESSAGES + "}",
            r'{"model":"m","stream":true,"stream_option\u0073":null,' + MESSAGES + "}",
        ),
        (
            '{"model":"m","stream_options":{"include_usage":true},' + MESSAGES + "}",
            '{"model":"m","stream_options":{"include_usage":true},' + MESSAGES + "}",
        ),
    ],
)
def test_an_upstream_that_refuses_to_be_asked_for_usage_is_not_asked(body: str, sent: str) -> None:
    assert change(body, ask_usage=False) == sent


def test_a_list_of_models_is_what_is_tried_after_the_first_and_goes_no_further() -> None:
    """Promise 20: whoever answers is paid for what it is, so that no provider may choose among several."""
    peek = peek_chat(b'{"model":"m","models":["m","dear"],' + MESSAGES.encode() + b"}")
    assert isinstance(peek, Peek)
    assert peek.wishes is not None
    assert peek.wishes.models == ("m", "dear")
    assert b"models" not in peek.wishes.body
    first = peek_chat(b'{"models":["m","dear"],' + MESSAGES.encode() + b"}")
    assert isinstance(first, Peek)
    assert (first.model, first.wishes and first.wishes.models) == ("m", ("dear",))
    assert isinstance(peek_chat(b'{"model":"m","models":null,' + MESSAGES.encode() + b"}"), Peek)
    fault = peek_chat(b'{"model":"m","models":"dear",' + MESSAGES.encode() + b"}")
    assert isinstance(fault, Fault)
    assert fault.param == "models"
