"""What a stream in translation tells of itself: about how much text came, and whether its usage is the last word."""

from collections.abc import Sequence

import pytest

from yescale.domain.content import Audio, Image, Inline, Part, Text, ToolCall
from yescale.domain.events import Event, MessageStart, PartDelta, PartStart, UsageReport
from yescale.domain.usage import Meter
from yescale.protocols import sse
from yescale.protocols.openai_chat.stream import ChatTap
from yescale.protocols.openai_chat.stream_decoder import ChatDecoder
from yescale.protocols.translation import TranslatingTap

TOKEN = 4  # bytes


class Says:
    """A decoder that has read these events."""

    def __init__(self, *events: Event) -> None:
        self._events = events

    def feed(self, data: bytes) -> Sequence[Event]:
        return self._events

    def finish(self) -> Sequence[Event]:
        return ()


class Silent:
    """An encoder that writes nothing."""

    def encode(self, event: Event) -> bytes:
        return b""


def hear(*events: Event) -> TranslatingTap:
    tap = TranslatingTap(Says(MessageStart(), *events), Silent())
    tap.feed(b"x")
    return tap


def test_text_counts_in_bytes_whatever_its_script() -> None:
    """Promise 6: an estimate is the same whether a call is translated or not."""
    assert hear(PartDelta(index=0, kind="text", data="abcd")).text_bytes == 4
    assert hear(PartDelta(index=0, kind="text", data="Việt")).text_bytes == len("Việt".encode())
    assert hear(PartDelta(index=0, kind="arguments", data="你好")).text_bytes == 6
    assert hear(PartStart(index=0, part=ToolCall(id="1", name="été", arguments="{}"))).text_bytes == 7


@pytest.mark.parametrize(
    ("part", "tokens"),
    [(Image(source=Inline("image/png", "A" * 1_000_000)), 1_290), (Audio(source=Inline("", "A" * 64_000)), 20)],
)
def test_pictures_and_sound_count_as_their_tokens_and_not_as_their_bytes(part: Part, tokens: int) -> None:
    assert hear(PartStart(index=0, part=part)).text_bytes == tokens * TOKEN


def test_a_seal_is_no_output() -> None:
    assert hear(PartDelta(index=0, kind="seal", data="A" * 1_000)).text_bytes == 0
    assert hear(PartDelta(index=0, kind="audio", data="A" * 64_000)).text_bytes == 20 * TOKEN


def test_a_usage_before_the_end_is_partial() -> None:
    usage = {Meter.INPUT_TOKENS: 3}
    tap = hear(PartStart(index=0, part=Text(text="")), UsageReport(usage, partial=True))
    assert (tap.usage, tap.partial) == (usage, True)
    assert not hear(UsageReport(usage)).partial


RUNNING = (
    b'data: {"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
)
LAST = (
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
)
ALONE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'


@pytest.mark.parametrize(
    ("chunks", "partial"), [([RUNNING], True), ([RUNNING, LAST], False), ([RUNNING, ALONE], False)]
)
def test_a_server_that_counts_on_with_every_chunk_has_the_last_word_at_the_end(
    chunks: list[bytes], partial: bool
) -> None:
    """Promise 10: vLLM's `continuous_usage_stats`, carried or translated."""
    tap, decoder = ChatTap(True, 10_000), ChatDecoder(10_000)
    reports: list[UsageReport] = []
    for chunk in chunks:
        tap.feed(chunk)
        reports += [event for event in decoder.feed(chunk) if isinstance(event, UsageReport)]
    assert tap.partial is reports[-1].partial is partial
    assert len(list(sse.split(b"".join(chunks)))) == len(reports)
