"""Parts of a content, read: https://ai.google.dev/api/caching#Part

A part holds exactly one kind of data; what also says something that we do not know stays whole, as Opaque.
"""

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from yescale.domain.content import (
    Audio,
    File,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Opaque,
    Part,
    Source,
    Stored,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from yescale.domain.ids import ProtocolId
from yescale.protocols.gemini_generate.members import FLAG, STRING, Members, refuse, text_of, value_of
from yescale.protocols.gemini_generate.seals import ORIGIN, uncarry
from yescale.protocols.reading import BROKEN

_ENCODER: Final = msgspec.json.Encoder()
_STORED: Final = re.compile(r"(?!https?://)|https://generativelanguage\.googleapis\.com/")


class Calls:
    """The ids of calls. Gemini may leave them out, and then matches answers by name and order."""

    __slots__ = ("_code", "_count", "_open", "_stem")

    def __init__(self, stem: str) -> None:
        self._stem = stem  # what sets these calls apart from those of other answers
        self._count = 0
        self._open: dict[str, deque[str]] = {}
        self._code = ""

    def begin(self, said: str | None, name: str, arguments: str = "") -> str:
        """The id of a call: the said one, or one that the same bytes always get. 29 letters: OpenAI takes 40."""
        call_id = said or self._mint(name, arguments)
        self._open.setdefault(name, deque()).append(call_id)
        return call_id

    def answer(self, said: str | None, name: str) -> str:
        """The id of the call that a response answers."""
        waiting = self._open.get(name, deque())
        if said is None:
            return waiting.popleft() if waiting else f"call_{name}"
        if said in waiting:
            waiting.remove(said)
        return said

    def begin_code(self, said: str | None, code: str) -> str:
        """The same of code that Google runs, whose result comes right behind it."""
        self._code = said or self._mint("", code)
        return self._code

    def answer_code(self, said: str | None) -> str:
        """The id of the code that a result is of."""
        return said or self._code or "code"

    def _mint(self, name: str, arguments: str) -> str:
        self._count += 1
        seed = "\n".join((self._stem, str(self._count), name, arguments)).encode()
        return f"call_{hashlib.blake2b(seed, digest_size=12).hexdigest()}"


class WirePlain(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A part that is text and says nothing else: most are."""

    text: str


_PLAIN: Final = msgspec.json.Decoder(WirePlain)
_PLAIN_START: Final = b'{"text"'


def _read_plain(raw: Raw) -> Text | None:
    """The text of the usual part; None = whoever reads every part shall read it."""
    if bytes(memoryview(raw)[: len(_PLAIN_START)]) != _PLAIN_START:
        return None
    try:
        return Text(text=_PLAIN.decode(raw).text)
    except BROKEN:
        return None


def decode_part(raw: Raw, where: str, calls: Calls) -> tuple[Part, ...]:
    """One part of the wire: one part, and where it has a seal that no field holds, an empty thought with it."""
    plain = _read_plain(raw)
    if plain is not None:
        return (plain,)
    members = Members(raw, where)
    thought = members.take("thought", FLAG) or False
    seal, origin = uncarry(members.take("thoughtSignature", STRING) or "")
    whole = Opaque(origin=ORIGIN, raw=raw)
    kinds = list(members.rest())
    if not kinds and seal:
        return (Thinking(seal=seal, origin=origin, redacted=True),)
    read = _READERS.get(kinds[0]) if len(kinds) == 1 else None
    value = members.take_raw(kinds[0]) if read is not None else None
    part = None if read is None or value is None else read(value, f"{where}.{kinds[0]}", calls)
    if part is None or (thought and not isinstance(part, Text)):
        return (whole,)
    if isinstance(part, HostedCall | HostedResult):
        return (replace(part, raw=raw),)
    if isinstance(part, Text) and thought:
        return (Thinking(text=part.text, seal=seal, origin=origin or ORIGIN),)
    return _seal(part, seal, origin) if seal else (part,)


def _seal(part: Part, seal: str, origin: ProtocolId | None) -> tuple[Part, ...]:
    if isinstance(part, Text) and not part.text:
        return (Thinking(seal=seal, origin=origin, redacted=True),)
    if isinstance(part, ToolCall):
        return (replace(part, seal=seal, origin=origin),)
    return part, Thinking(seal=seal, origin=origin, redacted=True)


def decode_parts(raws: Sequence[Raw], where: str, calls: Calls) -> tuple[Part, ...]:
    """All parts of a content but for empty texts, which say nothing: Google ends its streams with them."""
    parts = (part for n, raw in enumerate(raws) for part in decode_part(raw, f"{where}[{n}]", calls))
    return join_thoughts(part for part in parts if not isinstance(part, Text) or part.text)


def join_thoughts(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The parts with each thought in one piece: a stream brings it in many, and its seal comes last."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(last, Thinking) and isinstance(part, Thinking) and not (last.seal or part.redacted):
            joined[-1] = replace(part, text=last.text + part.text)
        else:
            joined.append(part)
    return tuple(joined)


def _read_text(raw: Raw, where: str, _: Calls) -> Text:
    return Text(text=value_of(raw, where, STRING))


def _read_blob(raw: Raw, where: str, _: Calls) -> Part | None:
    blob = Members(raw, where)
    media_type, data = blob.take("mimeType", STRING), blob.take("data", STRING)
    name = blob.take("displayName", STRING) or ""
    if media_type is None or data is None:
        raise refuse(where, f"'{where}' must hold 'mimeType' and 'data'.")
    return None if blob.rest() else _medium(Inline(media_type, data), media_type, name)


def _read_file(raw: Raw, where: str, _: Calls) -> Part | None:
    file = Members(raw, where)
    uri = file.take("fileUri", STRING)
    media_type = file.take("mimeType", STRING) or ""
    name = file.take("displayName", STRING) or ""
    if not uri:
        raise refuse(f"{where}.fileUri", f"'{where}.fileUri' is required.")
    source = Stored(uri, ORIGIN, media_type) if _STORED.match(uri) else Url(uri, media_type)
    return None if file.rest() else _medium(source, media_type, name)


def _medium(source: Source, media_type: str, name: str) -> Image | Audio | File:
    if media_type.startswith("image/"):
        return Image(source=source)
    if media_type.startswith("audio/"):
        return Audio(source=source)
    return File(source=source, name=name)


def _read_call(raw: Raw, where: str, calls: Calls) -> ToolCall | None:
    call = Members(raw, where)
    said, name, arguments = call.take("id", STRING), call.take("name", STRING), call.take_raw("args")
    if not name:
        raise refuse(f"{where}.name", f"'{where}.name' is required.")
    if call.rest():
        return None
    text = "{}" if arguments is None else text_of(arguments, f"{where}.args")
    return ToolCall(id=calls.begin(said, name, text), name=name, arguments=text)


def _read_result(raw: Raw, where: str, calls: Calls) -> ToolResult | None:
    result = Members(raw, where)
    said, name = result.take("id", STRING), result.take("name", STRING)
    if not name:
        raise refuse(f"{where}.name", f"'{where}.name' is required.")
    response = result.take_raw("response")
    media = [_read_medium(raw, f"{where}.parts[{n}]", calls) for n, raw in enumerate(result.take_all("parts"))]
    known = [medium for medium in media if isinstance(medium, Image | File)]
    if result.rest() or len(known) != len(media):
        return None
    text, failed = _read_response(response, f"{where}.response")
    shown = () if text is None else (Text(text=text),)
    return ToolResult(call_id=calls.answer(said, name), name=name, content=(*shown, *known), failed=failed)


def _read_medium(raw: Raw, where: str, calls: Calls) -> Part | None:
    """A picture or a document of a function's response."""
    medium = Members(raw, where)
    blob, file = medium.take_raw("inlineData"), medium.take_raw("fileData")
    if medium.rest() or (blob is None) == (file is None):
        return None
    if blob is not None:
        return _read_blob(blob, f"{where}.inlineData", calls)
    return None if file is None else _read_file(file, f"{where}.fileData", calls)


def _read_response(raw: Raw | None, where: str) -> tuple[str | None, bool]:
    """What a function answered, and whether it failed: `output` and `error` are the documented names."""
    if raw is None:
        return None, False
    response = Members(raw, where)
    for name, failed in (("output", False), ("error", True)):
        if list(response.rest()) == [name] and bytes(response.rest()[name])[:1] == b'"':
            return response.take(name, STRING), failed
    return text_of(raw, where), False


def _read_code(raw: Raw, where: str, calls: Calls) -> HostedCall:
    code = Members(raw, where)
    said, text = code.take("id", STRING), code.take("code", STRING) or ""
    language = (code.take("language", STRING) or "PYTHON").lower()
    arguments = _ENCODER.encode({"language": language, "code": text}).decode()
    return HostedCall(
        id=calls.begin_code(said, text), tool="code_execution", arguments=arguments, origin=ORIGIN, raw=raw
    )


def _read_output(raw: Raw, where: str, calls: Calls) -> HostedResult:
    output = Members(raw, where)
    return HostedResult(
        call_id=calls.answer_code(output.take("id", STRING)),
        tool="code_execution",
        origin=ORIGIN,
        raw=raw,
        text=output.take("output", STRING) or "",
        failed=output.take("outcome", STRING) != "OUTCOME_OK",
    )


_READERS: Final[Mapping[str, Callable[[Raw, str, Calls], Part | None]]] = MappingProxyType(
    {
        "text": _read_text,
        "inlineData": _read_blob,
        "fileData": _read_file,
        "functionCall": _read_call,
        "functionResponse": _read_result,
        "executableCode": _read_code,
        "codeExecutionResult": _read_output,
    }
)
