"""How clients of each format ask, and whether what they got ended well or with an error of their format."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from yescale.gateway.surfaces import SURFACES, Kind, Surface


def _never(_: bytes) -> bool:
    return False


class Asker(Struct, frozen=True, kw_only=True):
    """One client's format. `streams`: its bodies may ask for a stream; `in_path`: its path names the model."""

    body: Callable[[str], dict[str, Any]]  # of a prompt
    ended: Callable[[bytes], bool] = _never  # a stream that says it is whole
    failed: Callable[[bytes], bool] = _never  # a stream whose last event is an error
    streams: bool = False
    in_path: bool = False


def _events(stream: bytes) -> list[dict[str, Any]]:
    """The data of the events of a stream that end with a blank line."""
    blocks = stream.replace(b"\r\n", b"\n").split(b"\n\n")[:-1]
    lines = (line for block in blocks for line in block.split(b"\n") if line.startswith(b"data: {"))
    return [json.loads(line[6:]) for line in lines if line != b"data: {nonsense"]  # what passes is not looked at


def _last(stream: bytes) -> dict[str, Any]:
    found = _events(stream)
    return found[-1] if found else {}


def _has_reason(chunk: dict[str, Any]) -> bool:
    return any("finishReason" in candidate for candidate in chunk.get("candidates", ()))


def _last_element(stream: bytes) -> dict[str, Any]:
    """Of an array, be it closed or not."""
    return (json.loads(stream if stream.endswith(b"]") else stream + b"]") or [{}])[-1]


def _contents(prompt: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}


def _parts(prompt: str) -> dict[str, Any]:
    return {"parts": [{"text": prompt}]}


def _turns(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]


ASKERS: Mapping[str, Asker] = {
    "openai.chat": Asker(
        body=lambda prompt: {"messages": _turns(prompt)},
        ended=lambda stream: b"[DONE]" in stream,
        failed=lambda stream: "error" in _last(stream),
        streams=True,
    ),
    "openai.completions": Asker(
        body=lambda prompt: {"prompt": prompt},
        ended=lambda stream: b"[DONE]" in stream,
        failed=lambda stream: "error" in _last(stream),
        streams=True,
    ),
    "openai.responses": Asker(
        body=lambda prompt: {"input": prompt, "store": False},
        ended=lambda stream: b"response.completed" in stream,
        failed=lambda stream: _last(stream).get("type") == "response.failed",
        streams=True,
    ),
    "anthropic.messages": Asker(
        body=lambda prompt: {"messages": _turns(prompt), "max_tokens": 100},
        ended=lambda stream: b"message_stop" in stream,
        failed=lambda stream: _last(stream).get("type") == "error",
        streams=True,
    ),
    "gemini.generate": Asker(
        body=_contents,
        ended=lambda stream: _has_reason(_last(stream)),
        failed=lambda stream: "error" in _last(stream),
        in_path=True,
    ),
    "gemini.generate.array": Asker(
        body=_contents,
        ended=lambda stream: stream.endswith(b"]") and "error" not in _last_element(stream),
        failed=lambda stream: "error" in _last_element(stream),
        in_path=True,
    ),
    "openai.embeddings": Asker(body=lambda prompt: {"input": prompt}),
    "gemini.embed": Asker(body=lambda prompt: {"content": _parts(prompt)}, in_path=True),
    "gemini.batch_embed": Asker(body=lambda prompt: {"requests": [{"content": _parts(prompt)}]}, in_path=True),
    "openai.moderations": Asker(body=lambda prompt: {"input": prompt}),
    "rerank": Asker(body=lambda prompt: {"query": "q", "documents": [prompt]}),
    "anthropic.count_tokens": Asker(body=lambda prompt: {"messages": _turns(prompt)}),
    "gemini.count": Asker(body=_contents, in_path=True),
}


def relayed() -> Iterator[Surface]:
    """Every surface whose calls go to a provider and back, those behind a query included."""
    for surface in SURFACES:
        if surface.kind is Kind.RELAY:
            yield surface
            if surface.by_query is not None:
                yield surface.by_query[1]


def asked(surface: Surface, model: str, prompt: str, *, stream: bool) -> tuple[str, bytes]:
    """Path and body of a call."""
    asker = ASKERS[surface.format.id]
    body = asker.body(prompt)
    if not asker.in_path:
        body["model"] = model
    if asker.streams:
        body["stream"] = stream
    path = surface.path.decode().replace("*", model)
    if any(other.by_query is not None and other.by_query[1] is surface for other in SURFACES):
        path += "?alt=sse"
    return path, json.dumps(body).encode()
