"""Items of an answer that are told at once: calls of a provider's own tools, pictures, and what only Responses has."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Raw, Struct

from yescale.domain.content import HostedCall, HostedResult, Image, Inline, Part
from yescale.domain.events import DeltaKind
from yescale.protocols.openai_responses.input_items import Wire, is_content
from yescale.protocols.openai_responses.items import id_of, kind_of
from yescale.protocols.openai_responses.output_items import Signal
from yescale.protocols.openai_responses.schema import OWN
from yescale.protocols.reading import BROKEN


class WholeItem:
    """An item that is told at once: what it was on its way, what it is, and the steps between."""

    def __init__(self, index: int, whole: Raw | Wire, item_id: str, steps: Sequence[Signal] = ()) -> None:
        self.open = True
        self.wholes: list[object] = []
        self._whole = whole
        self._index = index
        self._id = item_id
        self._steps = steps

    def takes(self, part: Part) -> bool:
        """The result of code that ran lies in its call's item."""
        return isinstance(part, HostedResult) and (part.origin == OWN or part.tool == "code_execution")

    def start(self, part: Part) -> Iterator[Signal]:
        whole = self._whole
        if isinstance(part, HostedResult):
            if isinstance(whole, dict):
                outputs = [{"type": "logs", "logs": part.text}]
                self._whole = whole | {"outputs": outputs, "status": "failed" if part.failed else "completed"}
            return
        begun = whole if isinstance(whole, Raw) else whole | {"status": "in_progress"}
        yield Signal("response.output_item.added", {"output_index": self._index, "item": begun})
        for step in self._steps:
            place: Wire = {"item_id": self._id, "output_index": self._index}
            yield Signal(step.type, place | step.fields)

    def grow(self, kind: DeltaKind, words: str) -> Iterator[Signal]:
        yield from ()

    def end(self) -> Iterator[Signal]:
        yield from ()

    def finish(self) -> Iterator[Signal]:
        self.wholes.append(self._whole)
        yield Signal("response.output_item.done", {"output_index": self._index, "item": self._whole})


class _Code(Struct, frozen=True, gc=False):
    """The arguments of code that ran."""

    code: str = ""


class _Query(Struct, frozen=True, gc=False):
    """The arguments of a web search, as the formats have them."""

    query: str = ""
    queries: list[str] = []


_CODE: Final = msgspec.json.Decoder(_Code)
_QUERY: Final = msgspec.json.Decoder(_Query)
_STEPS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "web_search_call": ("in_progress", "searching", "completed"),
        "file_search_call": ("in_progress", "searching", "completed"),
        "code_interpreter_call": ("in_progress", "interpreting", "completed"),
        "image_generation_call": ("in_progress", "generating", "completed"),
    }
)


def raw_item(index: int, raw: Raw) -> WholeItem | None:
    """An item of this format, as its provider wrote it; none for what is but a part of a message."""
    if is_content(raw):
        return None
    return WholeItem(index, raw, id_of(raw), _steps(kind_of(raw)))


def hosted_item(index: int, mark: str, call: HostedCall) -> WholeItem | None:
    """A call of a provider's own tool; none where Responses has no such item."""
    if call.origin == OWN:
        return raw_item(index, call.raw)
    match call.tool:
        case "web_search":
            search: Wire = {"type": "search", "query": _read_query(call.arguments)}
            item: Wire = {"id": f"ws_{mark}", "type": "web_search_call", "status": "completed", "action": search}
            return WholeItem(index, item, f"ws_{mark}", _steps("web_search_call"))
        case "code_execution":
            code = _read_code(call.arguments)
            item = {
                "id": f"ci_{mark}",
                "type": "code_interpreter_call",
                "status": "completed",
                "code": code,
                "container_id": "",
                "outputs": None,
            }
            return WholeItem(index, item, f"ci_{mark}", _code_steps(code))
        case _:
            return None


def picture_item(index: int, mark: str, picture: Image) -> WholeItem | None:
    """A picture that the model made; none if it lies elsewhere."""
    if not isinstance(picture.source, Inline):
        return None
    item: Wire = {"id": f"ig_{mark}", "type": "image_generation_call", "status": "completed"}
    item["result"] = picture.source.data
    return WholeItem(index, item, f"ig_{mark}", _steps("image_generation_call"))


def _steps(kind: str) -> tuple[Signal, ...]:
    return tuple(Signal(f"response.{kind}.{step}", {}) for step in _STEPS.get(kind, ()))


def _code_steps(code: str) -> tuple[Signal, ...]:
    begun, *rest = _steps("code_interpreter_call")
    written = (
        Signal("response.code_interpreter_call_code.delta", {"delta": code}),
        Signal("response.code_interpreter_call_code.done", {"code": code}),
    )
    return (begun, *written, *rest)


def _read_code(arguments: str) -> str:
    try:
        return _CODE.decode(arguments).code
    except BROKEN:
        return arguments


def _read_query(arguments: str) -> str:
    try:
        found = _QUERY.decode(arguments)
    except BROKEN:
        return ""
    return found.query or " ".join(found.queries)
