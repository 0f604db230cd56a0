"""A call of a format whose answers are kept: what it goes on from is put before it, what it answers is remembered.

The upstream keeps nothing and is told of no earlier response; the client sees what it asked for.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.ids import AccountId
from yescale.domain.memory import RESPONSE_ID, Kept
from yescale.domain.usage import Usage
from yescale.gateway.memory import Away, Memory
from yescale.protocols.openai_responses.conversation import Recording, continuation, expand, items_to_keep
from yescale.protocols.openai_responses.showing import Shown, show_events, show_response
from yescale.protocols.passthrough import Answer, Tap, UpstreamError
from yescale.protocols.reading import BROKEN

LOG: Final = logging.getLogger("yescale.relay")
_NO_ANSWER: Final = b"{}"
_ENDED: Final = frozenset({"completed", "incomplete"})
_ITEMS: Final = msgspec.json.Decoder(list[Raw])
_JSON: Final = msgspec.json.Encoder()


class WireOutcome(Struct, frozen=True, gc=False):
    """What decides whether an answer is kept."""

    id: str = ""
    status: str = ""


_OUTCOME: Final = msgspec.json.Decoder(WireOutcome)


class Turn:
    """One call. First `recall`, whose body goes up; then `listen` or `hear`; after the last byte `keep`."""

    __slots__ = ("_account", "_answer", "_body", "_earlier", "_memory", "_recording", "_shown")

    def __init__(self, memory: Memory, account: AccountId, body: bytes, shown: Shown) -> None:
        self._memory = memory
        self._account = account
        self._body = body
        self._shown = shown
        self._earlier: list[Raw] = []
        self._recording: Recording | None = None
        self._answer: bytes | None = None

    def recall(self, tell: Callable[[bytes | Fault], object]) -> None:
        """The request as it goes up, or why it cannot."""
        if not self._shown.previous:
            tell(self._expand())
        elif RESPONSE_ID.fullmatch(self._shown.previous) is None:
            tell(self._unknown())
        else:
            self._memory.find(self._account, self._shown.previous, partial(self._recalled, tell))

    def listen(self, tap: Tap, most_event_bytes: int) -> Tap:
        """A stream's tap that shows what the client asked for and takes down what it got."""
        self._recording = Recording(most_event_bytes, self._memory.settings.response_bytes)
        return _TurnTap(tap, self._shown, self._recording)

    def hear(self, answer: Answer, body: bytes) -> Answer:
        """A whole answer, as the client is to see it."""
        self._answer = show_response(answer.translated or body, self._shown)
        return replace(answer, translated=self._answer)

    def keep(self) -> None:
        """The client has its answer: remember it, if the client wants that and it is one."""
        if not self._shown.stored:
            return
        answer = self._answer if self._recording is None else self._recording.response()
        own = items_to_keep(self._body, _NO_ANSWER, self._memory.settings.response_bytes)
        if answer is None or own is None:
            LOG.warning("an answer is not kept, and no call can go on from it: too large, or without its end")
            return
        outcome = _outcome(answer)
        if outcome.status in _ENDED and RESPONSE_ID.fullmatch(outcome.id):
            kept = Kept(input=_JSON.encode([*self._earlier, *own]), answer=answer)
            self._memory.keep(self._account, outcome.id, kept)

    def _recalled(self, tell: Callable[[bytes | Fault], object], found: Kept | Away | None) -> None:
        if isinstance(found, Away):
            tell(faults.UNAVAILABLE.saying("The response to go on from cannot be looked up right now; try again."))
        elif found is None:
            tell(self._unknown())
        else:
            output = items_to_keep(_NO_ANSWER, found.answer, len(found.answer)) or []
            self._earlier = [*_ITEMS.decode(found.input), *output]
            tell(self._expand())

    def _expand(self) -> bytes | Fault:
        try:
            return expand(self._body, self._earlier)
        except BROKEN:  # an item that is nested beyond all measure
            return faults.MALFORMED.saying("The input cannot be read.", param="input")

    def _unknown(self) -> Fault:
        # As OpenAI says it: https://platform.openai.com/docs/guides/websocket-mode#errors shows status and code.
        message = f"Previous response with id '{self._shown.previous[:300]}' not found."
        return faults.PREVIOUS_NOT_FOUND.saying(message, param="previous_response_id")


def begin(memory: Memory, account: AccountId, body: bytes) -> Turn | Fault | None:
    """The turn of a request that `peek` has let pass; None where it goes on from nothing and is not to be kept."""
    asked = continuation(body)
    if isinstance(asked, Fault):
        return asked
    if not asked.previous and not asked.stored:
        return None
    return Turn(memory, account, body, Shown(asked.previous, asked.stored and memory.settings.keep_days > 0))


class _TurnTap:
    """Another tap, whose bytes are shown and taken down."""

    def __init__(self, tap: Tap, shown: Shown, recording: Recording) -> None:
        self.usage: Usage | None = None
        self.partial = False
        self.done = False
        self.finished = False
        self.error: UpstreamError | None = None
        self.text_bytes = 0
        self.tier = ""
        self._tap = tap
        self._shown = shown
        self._recording = recording

    def feed(self, data: bytes) -> bytes:
        return self._pass(self._tap.feed(data))

    def finish(self) -> bytes:
        return self._pass(self._tap.finish())

    def _pass(self, out: bytes) -> bytes:
        tap = self._tap
        self.usage, self.done, self.finished = tap.usage, tap.done, tap.finished
        self.error, self.text_bytes, self.partial = tap.error, tap.text_bytes, tap.partial
        self.tier = tap.tier
        if not out:
            return out
        shown = show_events(out, self._shown)
        self._recording.feed(shown)
        return shown


def _outcome(answer: bytes) -> WireOutcome:
    try:
        return _OUTCOME.decode(answer)
    except BROKEN:
        return WireOutcome()
