"""Items read: each as the parts that it is, in requests and in answers."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.content import (
    Audio,
    CachePoint,
    Citation,
    File,
    HostedCall,
    HostedKind,
    HostedResult,
    Image,
    Inline,
    Opaque,
    Part,
    Refusal,
    Source,
    Stored,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from yescale.protocols.openai_responses.groups import full_name
from yescale.protocols.openai_responses.schema import (
    OWN,
    WireAnnotation,
    WireCall,
    WireContent,
    WireCustomCall,
    WireHosted,
    WireItemHead,
    WireLogs,
    WireMessage,
    WireOutput,
    WireThought,
    said,
)

Role = Literal["system", "user", "assistant"]

_HEAD: Final = msgspec.json.Decoder(WireItemHead)
_MESSAGE: Final = msgspec.json.Decoder(WireMessage)
_CONTENT: Final = msgspec.json.Decoder(WireContent)
_ANNOTATION: Final = msgspec.json.Decoder(WireAnnotation)
_THOUGHT: Final = msgspec.json.Decoder(WireThought)
_CALL: Final = msgspec.json.Decoder(WireCall)
_CUSTOM_CALL: Final = msgspec.json.Decoder(WireCustomCall)
_OUTPUT: Final = msgspec.json.Decoder(WireOutput)
_HOSTED: Final = msgspec.json.Decoder(WireHosted)
_LOGS: Final = msgspec.json.Decoder(list[WireLogs])
_JSON: Final = msgspec.json.Encoder()

_DATA: Final = "data:"
_BASE64: Final = ";base64,"
_DETAILS: Final[Mapping[str, Literal["auto", "low", "high"]]] = MappingProxyType(
    {"auto": "auto", "low": "low", "high": "high", "original": "high"}
)
_HOSTED_KINDS: Final[Mapping[str, HostedKind]] = MappingProxyType(
    {
        "web_search_call": "web_search",
        "code_interpreter_call": "code_execution",
        "file_search_call": "file_search",
        "image_generation_call": "other",
        "mcp_call": "other",
        "mcp_list_tools": "other",
    }
)
_OURS: Final = frozenset({"mcp_approval_response", "additional_tools", "compaction_trigger"})  # said by the client


class BadItem(ValueError):
    """An item that its type does not allow; `field` is the path within it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def kind_of(raw: Raw) -> str:
    """An item's type, where it may be left out as well. Raises msgspec's errors."""
    head = _HEAD.decode(raw)
    if head.type is not None:
        return head.type
    return "message" if head.role is not None else "item_reference"


def id_of(raw: Raw) -> str:
    """An item's id, or nothing."""
    return _HEAD.decode(raw).id or ""


def read_item(raw: Raw) -> tuple[Role, tuple[Part, ...]]:
    """Whose turn an item belongs to, and its parts. Raises BadItem, and msgspec's errors for what is of a wrong type.

    What no other format has stays as it is: `Opaque`.
    """
    kind = kind_of(raw)
    if kind == "message":
        return _read_message(raw)
    if kind in _HOSTED_KINDS:
        return "assistant", _read_hosted(raw, _HOSTED_KINDS[kind])
    reader = _READERS.get(kind)
    if reader is not None:
        part = reader(raw)
        return "user" if isinstance(part, ToolResult) else "assistant", (part,)
    theirs = not kind.endswith("_output") and kind not in _OURS
    return "assistant" if theirs else "user", (Opaque(origin=OWN, raw=Raw(bytes(raw))),)


def _read_message(raw: Raw) -> tuple[Role, tuple[Part, ...]]:
    wire = _MESSAGE.decode(raw)
    role = "system" if wire.role == "developer" else wire.role
    if isinstance(wire.content, str):
        return role, (Text(text=wire.content),)
    return role, read_contents(wire.content, "content")


def read_contents(raws: list[Raw], field: str) -> tuple[Part, ...]:
    """The parts of a message or of a tool's output; `field` is where they lie in their item."""
    return tuple(_read_content(raw, f"{field}[{number}]") for number, raw in enumerate(raws))


def _read_content(raw: Raw, field: str) -> Part:
    try:
        wire = _CONTENT.decode(raw)
    except msgspec.ValidationError as error:
        raise BadItem(field, f"it is of the wrong shape: {error}".lower().replace("`", "")) from error
    reader = _CONTENTS.get(wire.type)
    part = reader(wire, field) if reader is not None else Opaque(origin=OWN, raw=Raw(bytes(raw)))
    mark = wire.prompt_cache_breakpoint
    if mark is not None and isinstance(part, Text | Image | File):
        return replace(part, cache=CachePoint("1h" if mark.ttl == "12h" else "5m"))
    return part


def _read_text(wire: WireContent, field: str) -> Part:
    if wire.text is None:
        raise BadItem(f"{field}.text", "it is required")
    return Text(text=wire.text, citations=tuple(map(read_citation, wire.annotations or ())))


def _read_refusal(wire: WireContent, field: str) -> Part:
    if wire.refusal is None:
        raise BadItem(f"{field}.refusal", "it is required")
    return Refusal(text=wire.refusal)


def _read_image(wire: WireContent, field: str) -> Part:
    if wire.file_id:
        source: Source = Stored(wire.file_id, OWN)
    elif wire.image_url:
        source = read_url(wire.image_url)
    else:
        raise BadItem(f"{field}.image_url", "an image needs 'image_url' or 'file_id'")
    return Image(source=source, detail=_DETAILS.get(wire.detail or ""))


def _read_file(wire: WireContent, field: str) -> Part:
    if wire.file_id:
        source: Source = Stored(wire.file_id, OWN)
    elif wire.file_url:
        source = Url(wire.file_url)
    elif wire.file_data:
        source = read_url(wire.file_data) if wire.file_data.startswith(_DATA) else Inline("", wire.file_data)
    else:
        raise BadItem(f"{field}.file_data", "a file needs 'file_id', 'file_url' or 'file_data'")
    return File(source=source, name=wire.filename or "")


def _read_audio(wire: WireContent, field: str) -> Part:
    if wire.input_audio is None:
        raise BadItem(f"{field}.input_audio", "it is required")
    return Audio(source=Inline(f"audio/{wire.input_audio.format}", wire.input_audio.data))


def read_url(url: str) -> Source:
    """A web address, or the bytes that a data URL holds."""
    if not url.startswith(_DATA) or _BASE64 not in url[:200]:
        return Url(url)
    media_type, _, content = url.removeprefix(_DATA).partition(_BASE64)
    return Inline(media_type, content)


def read_citation(raw: Raw) -> Citation:
    """An annotation of an output text."""
    wire = _ANNOTATION.decode(raw)
    return Citation(
        url=wire.url,
        title=wire.title or wire.filename or "",
        start=wire.start_index,
        end=wire.end_index,
        origin=OWN,
        raw=Raw(bytes(raw)),
    )


def _read_thought(raw: Raw) -> Part:
    wire = _THOUGHT.decode(raw)
    words = "\n\n".join(each.text for each in wire.summary or wire.content or ())
    return Thinking(text=words, seal=wire.encrypted_content or "", origin=OWN, id=wire.id or "")


def _read_call(raw: Raw) -> Part:
    wire = _CALL.decode(raw)
    return ToolCall(id=wire.call_id, name=full_name(wire.namespace, wire.name), arguments=wire.arguments)


def _read_custom_call(raw: Raw) -> Part:
    wire = _CUSTOM_CALL.decode(raw)
    name = full_name(wire.namespace, wire.name)
    return ToolCall(id=wire.call_id, name=name, arguments=wire.input, custom=True)


def _read_output(raw: Raw) -> ToolResult:
    wire = _OUTPUT.decode(raw)
    if isinstance(wire.output, str):
        return ToolResult(call_id=wire.call_id, content=(Text(text=wire.output),))
    content: list[Text | Image | File] = []
    for number, part in enumerate(read_contents(wire.output, "output")):
        if not isinstance(part, Text | Image | File):
            raise BadItem(f"output[{number}]", "a tool's output is made of text, images and files")
        content.append(part)
    return ToolResult(call_id=wire.call_id, content=tuple(content))


def _read_custom_output(raw: Raw) -> Part:
    return replace(_read_output(raw), custom=True)


def _read_hosted(raw: Raw, kind: HostedKind) -> tuple[Part, ...]:
    """The call; and the result, where one can be shown. Both lie in one item, which the call keeps."""
    wire = _HOSTED.decode(raw)
    call = HostedCall(id=wire.id, tool=kind, arguments=_arguments(wire, kind), origin=OWN, raw=Raw(bytes(raw)))
    if kind == "web_search":
        # What was found stands in the citations; formats that pair calls with results want one all the same.
        return call, HostedResult(call_id=wire.id, tool=kind, origin=OWN, raw=call.raw, failed=wire.status == "failed")
    if kind != "code_execution" or not said(wire.outputs):
        return (call,)
    logs = "".join(each.logs for each in _LOGS.decode(wire.outputs))
    failed = wire.status == "failed"
    outputs = Raw(bytes(wire.outputs))
    return call, HostedResult(call_id=wire.id, tool=kind, origin=OWN, raw=outputs, text=logs, failed=failed)


def _arguments(wire: WireHosted, kind: HostedKind) -> str:
    if kind == "code_execution":
        return _JSON.encode({"language": "python", "code": wire.code or ""}).decode()
    if kind == "file_search" and said(wire.queries):
        return _JSON.encode({"queries": wire.queries}).decode()
    if said(wire.action):
        return bytes(wire.action).decode()
    return wire.arguments if isinstance(wire.arguments, str) else "{}"


_READERS: Final[Mapping[str, Callable[[Raw], Part]]] = MappingProxyType(
    {
        "reasoning": _read_thought,
        "function_call": _read_call,
        "custom_tool_call": _read_custom_call,
        "function_call_output": _read_output,
        "custom_tool_call_output": _read_custom_output,
    }
)
_CONTENTS: Final[Mapping[str, Callable[[WireContent, str], Part]]] = MappingProxyType(
    {
        "input_text": _read_text,
        "output_text": _read_text,
        "text": _read_text,
        "refusal": _read_refusal,
        "input_image": _read_image,
        "input_file": _read_file,
        "input_audio": _read_audio,
    }
)
