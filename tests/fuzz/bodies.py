"""Bodies of chat calls: a fault or a peek, never an exception; and a rewrite that changes what it says and no more."""

import json
from collections.abc import Sequence
from typing import Any

from yescale.domain.faults import Fault
from yescale.protocols.openai_chat.requests import peek_chat, peek_embeddings, rewrite
from yescale.protocols.passthrough import Change, Peek

_HI = b'"messages":[{"role":"user","content":"hi"}]'
_PICTURE = b'{"type":"image_url","image_url":{"url":"data:image/png;base64,' + b"A" * 1100 + b'"}}'
SEEDS = (
    b'{"model":"m",' + _HI + b"}",
    b'{"model":"m","stream":true,' + _HI + b',"stream_options":{"include_usage":false,"x":[1]},"max_tokens":null}',
    b'{ "model" : "m" , "n":2, "max_completion_tokens":5,"stream":true,"stream_options":null,' + _HI + b"\t}\r\n",
    b'{"mod\\u0065l":"a","x":{"model":"b"},' + _HI + b"}",
    b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"\\"model\\":"},' + _PICTURE + b"]}]}",
    b'{"model":"m",' + _HI + b',"metadata":{"stream":"\\\\","n":"\\u006e"},"tools":[{"function":{"name":"model"}}]}',
    b'{"model":"m","input":["a","b"]}',
    b'{"model":"m","input":[[1,2],[3]]}',
)
WORDS = (
    b'"model":', b'"model"', b'"messages":', b'"stream":', b'"stream_options":', b'"include_usage":', b'"max_tokens":',
    b'"n":', b'"max_completion_tokens":', b'"input":', b"true", b"false", b"null", b"{", b"}", b"[", b"]", b"{}",
    b"[]", b",", b":", b'"', b"\\", b'\\"', b"\\u006d", b"\\u0022", b"\\ud800", b"1e400", b"-0", b"1.0",
    b"123456789012345678901234567890", b"\xff", b'"url":"data:image/png;base64,', b'"data":"', b" ", b"\n", b"\0",
    b'"file_id"',
)  # fmt: skip

PRICED = ("model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n")
LONG = b'"zz":"' + b"-" * 9_000 + b'",'  # from a size on, pictures are left out before the peek
# What begins a picture or a sound. In a long body its middle is not looked at, so that a line break there goes unseen:
# the provider refuses such a body instead of us.
INLINE = (b";base64,", b'"data"')
_OTHER = 'other "name"'


class _Twice(ValueError):
    """A field is said twice at the top."""


class _Object(dict[str, Any]):
    """A JSON object that remembers which names came twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.twice = {name for name in names if names.count(name) > 1}


def check(data: bytes, places: Sequence[int]) -> None:
    """Raises where a promise of the request's pipe is broken. Bodies are read whole: cuts are not for them."""
    embeddings = peek_embeddings(data)
    assert isinstance(embeddings, Peek | Fault)
    peek = peek_chat(data)
    if isinstance(peek, Fault):
        assert 400 <= peek.status < 500
        if not any(mark in data for mark in INLINE):
            assert not longer(data) or isinstance(peek_chat(longer(data)), Fault), (
                "length turned a fault into a request"
            )
        return
    assert rewrite(data, peek, Change(model=peek.model)) == data or peek.stream, "what needs no change is left alone"
    said = read(data)
    if said is not None:
        agrees(peek, said)
        changes(data, peek, said)
    padded = peek_chat(longer(data))
    assert isinstance(padded, Peek), "length turned a request into a fault"
    assert (padded.model, padded.stream, padded.declared, padded.n) == (peek.model, peek.stream, peek.declared, peek.n)


def longer(data: bytes) -> bytes:
    """The same with a long field in front that nobody reads; empty where there is no object to put it in."""
    start = data.find(b"{")
    whole = data[:start].strip(b" \t\r\n") == b"" and data[start + 1 :].lstrip(b" \t\r\n")[:1] == b'"'
    return data[: start + 1] + LONG + data[start + 1 :] if start >= 0 and whole else b""


def read(data: bytes) -> _Object | None:
    """What another reader makes of the body, or None where it makes nothing of it."""
    try:
        found = json.loads(data.decode(), object_pairs_hook=_Object)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, _Object) else None


def agrees(peek: Peek, said: _Object) -> None:
    """Price and route see what a provider will see."""
    assert not said.twice.intersection(PRICED), "said twice, and a provider may read the other"
    assert peek.model == said["model"]
    assert peek.stream == (said.get("stream") is True)
    assert peek.n == (said.get("n") or 1)
    limits = [said[name] for name in ("max_tokens", "max_completion_tokens") if said.get(name) is not None]
    assert peek.declared == (max(limits) if limits else None)


def changes(data: bytes, peek: Peek, said: _Object) -> None:
    """After a rewrite, everything reads as before but what was to change."""
    limit = None if peek.declared is not None else 7
    changed = read(rewrite(data, peek, Change(model=_OTHER, limit=limit)))
    assert changed is not None, "a rewrite broke the body"
    expected = dict(said) | {"model": _OTHER}
    if peek.stream:
        options = said.get("stream_options")
        expected["stream_options"] = (options or {}) | {"include_usage": True}
    if limit is not None:
        expected[peek.limit_field or "max_tokens"] = limit
    assert dict(changed) == expected, "a rewrite changed something else"
    assert not changed.twice.intersection(PRICED), "a rewrite said a field twice"
