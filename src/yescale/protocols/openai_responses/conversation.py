"""Conversations that the gateway keeps: what goes up instead of `previous_response_id`, what is kept of a turn.

https://platform.openai.com/docs/guides/conversation-state: a response is stored unless `store` is false; the items of
an earlier response come before the new input; its instructions are not carried over.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from yescale.domain.faults import Fault
from yescale.protocols import sse
from yescale.protocols.openai_responses.schema import NOTHING, WireItemHead, said
from yescale.protocols.reading import BROKEN, read, wrong

MOST_BYTES: Final = 8 * 2**20  # of the items of one turn

_SEALED: Final = "reasoning.encrypted_content"
_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_ITEM_DONE: Final = "response.output_item.done"
_QUOTE: Final = ord('"')


class WireKept(Struct, frozen=True, gc=False):
    """What decides whether and how a response is kept."""

    input: Raw = NOTHING
    store: bool | None = None
    previous_response_id: str | None = None
    include: list[str] | None = None
    reasoning: Raw = NOTHING
    conversation: Raw = NOTHING


class WireOutput(Struct, frozen=True, gc=False):
    """The items of an answer."""

    output: list[Raw] | None = None


class WireSealed(Struct, frozen=True, gc=False):
    """What tells whether an item can be said again."""

    type: str | None = None
    encrypted_content: Any = None


class WireStep(Struct, frozen=True, gc=False):
    """An event of a stream that is kept."""

    type: str = ""
    response: Raw = NOTHING
    item: Raw = NOTHING


_KEPT: Final = msgspec.json.Decoder(WireKept)
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_ITEMS: Final = msgspec.json.Decoder(list[Raw])
_OUTPUT: Final = msgspec.json.Decoder(WireOutput)
_SEALS: Final = msgspec.json.Decoder(WireSealed)
_HEAD: Final = msgspec.json.Decoder(WireItemHead)
_STEP: Final = msgspec.json.Decoder(WireStep)
_JSON: Final = msgspec.json.Encoder()


class Continuation(Struct, frozen=True, gc=False):
    """What a request says of keeping: the response that it goes on from, if any, and whether its own is to be kept."""

    previous: str
    stored: bool


def continuation(body: bytes) -> Continuation | Fault:
    """Read a request that `peek` has let pass; a Fault names the field at fault. The other functions come after."""
    wire = read(_KEPT, body)
    fields = read(_FIELDS, body)  # names that are no text are skipped by `peek`, and `expand` reads them
    if isinstance(wire, Fault):
        return wire
    if isinstance(fields, Fault):
        return fields
    if said(wire.conversation):
        return wrong("conversation", "Conversations are not offered here; go on with 'previous_response_id'.")
    return Continuation(wire.previous_response_id or "", wire.store is not False)


def expand(body: bytes, earlier_items: list[Raw]) -> bytes:
    """The request as an upstream gets it that keeps nothing: the earlier items before the new input, `store: false`.

    Sealed reasoning is asked for only where the next turn would be without it (promise 30): the response is to be kept
    or the client asked, and the request or the conversation shows a model that reasons; others refuse the question.
    Earlier reasoning without its seal is left out: by its id alone the upstream would not find it.
    """
    wire = _KEPT.decode(body)
    fields = _FIELDS.decode(body)
    earlier = [item for item in earlier_items if _can_be_said(item)]
    known = {head.id for item in earlier if (head := _HEAD.decode(item)).id and not _is_reference(head)}
    items = [item for item in (*earlier, *_input_items(wire.input)) if not _refers(item, known)]
    reasons = said(wire.reasoning) or any(_SEALS.decode(item).type == "reasoning" for item in earlier_items)
    include = wire.include or []
    if wire.store is not False and reasons and _SEALED not in include:
        fields["include"] = Raw(_JSON.encode([*include, _SEALED]))
    fields.pop("previous_response_id", None)
    if earlier or (said(wire.input) and bytes(wire.input)[0] != _QUOTE):
        fields["input"] = Raw(_JSON.encode(items))
    fields["store"] = Raw(b"false")
    return _JSON.encode(fields)


def items_to_keep(request_body: bytes, response_body: bytes, most_bytes: int = MOST_BYTES) -> list[Raw] | None:
    """The items that a turn adds to its conversation, each with its id; None = no answer, or too many bytes to be kept.

    `request_body` is the client's own, not what `expand` made of it.
    """
    try:
        output = _OUTPUT.decode(response_body).output or ()
    except BROKEN:
        return None
    items = [Raw(bytes(item)) for item in (*_input_items(_KEPT.decode(request_body).input), *output)]
    return items if sum(len(memoryview(item)) for item in items) <= most_bytes else None


class Recording:
    """A stream heard to its end, for the response object that it tells."""

    def __init__(self, max_event_bytes: int, most_bytes: int = MOST_BYTES) -> None:
        self._framer = sse.Framer(max_event_bytes)
        self._most = most_bytes
        self._items: list[Raw] = []
        self._size = 0
        self._final: Raw = NOTHING

    def feed(self, data: bytes) -> None:
        """Take in what the client gets. Raises sse.TooLong."""
        block = self._framer.feed(data)
        if _ITEM_DONE.encode() not in block and b"response.completed" not in block and b"incomplete" not in block:
            return
        for event in sse.split(block):
            self._hear(sse.data_of(event)[1])

    def response(self) -> bytes | None:
        """The whole response, with the items that came if its last event repeats none; None = there is none to keep."""
        if not said(self._final) or self._size > self._most:
            return None
        final = bytes(self._final)
        if not self._items or _OUTPUT.decode(final).output:
            return final
        return _JSON.encode(_FIELDS.decode(final) | {"output": Raw(_JSON.encode(self._items))})

    def _hear(self, data: bytes) -> None:
        try:
            step = _STEP.decode(data)
        except BROKEN:
            return
        if step.type == _ITEM_DONE:
            self._size += len(memoryview(step.item))
            if self._size <= self._most:
                self._items.append(Raw(bytes(step.item)))
        elif step.type in _ENDS:
            self._final = Raw(bytes(step.response))


def _input_items(raw: Raw) -> list[Raw]:
    """The input as items: a string is what a user says."""
    if not said(raw):
        return []
    if bytes(raw)[0] != _QUOTE:
        return _ITEMS.decode(raw)
    return [Raw(b'{"type":"message","role":"user","content":[{"type":"input_text","text":%b}]}' % bytes(raw))]


def _can_be_said(item: Raw) -> bool:
    wire = _SEALS.decode(item)
    return wire.type != "reasoning" or bool(wire.encrypted_content)


def _refers(item: Raw, known: set[str]) -> bool:
    """Whether an item only points at one that stands before it anyway."""
    head = _HEAD.decode(item)
    return _is_reference(head) and head.id in known


def _is_reference(head: WireItemHead) -> bool:
    return head.type == "item_reference" or (head.type is None and head.role is None)
