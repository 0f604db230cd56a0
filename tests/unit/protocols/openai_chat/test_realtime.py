"""What Realtime's events mean for the price: weights that never undercount, limits, usage that does not overlap."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yescale.domain import faults
from yescale.domain.faults import Fault
from yescale.domain.usage import INPUT_METERS, Meter
from yescale.protocols.codec import PathWords
from yescale.protocols.openai_chat import REALTIME, realtime
from yescale.protocols.openai_chat.realtime import ENDLESS, ClientEvent, ServerEvent


def asked(kind: str, **fields: Any) -> ClientEvent:
    event = realtime.read_client(json.dumps({"type": kind, **fields}).encode())
    assert event is not None
    return event


def said(kind: str, **fields: Any) -> ServerEvent:
    event = realtime.read_server(json.dumps({"type": kind, **fields}).encode())
    assert event is not None
    return event


def used(**fields: Any) -> dict[Meter, int] | None:
    usage = said("response.done", response={"id": "r", "usage": fields}).usage
    return None if usage is None else dict(usage)


def item(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": list(parts)}


def test_a_session_names_its_model_in_the_address() -> None:
    peek = REALTIME.peek(b"", PathWords("gpt-realtime"))
    assert not isinstance(peek, Fault)
    assert (peek.model, peek.declared) == ("gpt-realtime", None)
    fault = REALTIME.peek(b"", PathWords())
    assert isinstance(fault, Fault)
    assert (fault.status, fault.param) == (400, "model")


@given(st.text(max_size=400))
def test_text_weighs_at_least_a_token_for_two_bytes(text: str) -> None:
    event = asked("conversation.item.create", item=item({"type": "input_text", "text": text}))
    assert event.tokens >= len(text.encode()) // 2 - 1


@pytest.mark.parametrize(("bytes_per_s", "tokens_per_s"), [(48_000, 10), (8_000, 10)])
def test_audio_weighs_no_less_than_it_is_counted_as(bytes_per_s: int, tokens_per_s: int) -> None:
    """Ten tokens a second, as PCM and as G.711; and not as if it were text."""
    sound = base64.b64encode(bytes(30 * bytes_per_s)).decode()
    for event in (
        asked("input_audio_buffer.append", audio=sound),
        asked("conversation.item.create", item=item({"type": "input_audio", "audio": sound})),
        asked("response.create", response={"input": [item({"type": "input_audio", "audio": sound})]}),
    ):
        assert 30 * tokens_per_s <= event.tokens < len(sound) // 500


def test_images_and_stored_prompts_weigh_what_they_may_hide() -> None:
    image = asked("conversation.item.create", item=item({"type": "input_image", "image_url": "https://x.test/1"}))
    assert image.tokens > 4_000
    assert asked("session.update", session={"prompt": {"id": "pmpt_1"}}).tokens >= ENDLESS
    assert asked("response.create", response={"prompt": {"id": "pmpt_1"}}).tokens >= ENDLESS


def test_what_may_lead_to_a_response_is_known() -> None:
    for kind in ("response.create", "input_audio_buffer.append", "input_audio_buffer.commit", "session.update"):
        assert asked(kind).triggers
    for kind in ("response.cancel", "conversation.item.delete", "input_audio_buffer.clear"):
        assert not asked(kind).triggers


def test_a_limit_is_read_in_both_forms() -> None:
    assert asked("response.create", response={"max_output_tokens": 50}).limit == 50
    assert asked("response.create", response={"max_response_output_tokens": 60}).limit == 60
    for without in ({}, {"max_output_tokens": "inf"}, {"max_output_tokens": None}, {"max_output_tokens": 1e9}):
        assert asked("response.create", response=without).limit is None
    assert said("session.updated", session={"max_output_tokens": 70}).limit == 70
    assert said("session.created", session={"max_response_output_tokens": 80}).limit == 80
    assert said("session.updated", session={"max_output_tokens": "inf"}).limit is None


def test_a_model_and_a_second_model_are_seen_wherever_they_stand() -> None:
    assert asked("session.update", session={"model": "other"}).model == "other"
    assert asked("response.create", response={"model": "other"}).model == "other"
    hidden = realtime.read_client(b'{"type":"session.update","session":{"mod\\u0065l":"other"}}')
    assert hidden is not None
    assert hidden.model == "other"
    for session in (
        {"input_audio_transcription": {"model": "whisper-1"}},
        {"audio": {"input": {"transcription": {"model": "whisper-1"}}}},
        {"type": "transcription"},
    ):
        assert asked("session.update", session=session).transcribes, session
    for session in ({"input_audio_transcription": None}, {"audio": {"input": {"transcription": None}}}, {}):
        assert not asked("session.update", session=session).transcribes, session


@pytest.mark.parametrize("data", [b"", b"7", b"[]", b"{}", b'{"type":1}', b'{"type":"x"', b"\xff", b"[" * 5_000])
def test_what_is_no_event_is_read_as_none(data: bytes) -> None:
    assert realtime.read_client(data) is None
    assert realtime.read_server(data) is None


def test_usage_is_taken_apart_without_overlap() -> None:
    details = {
        "text_tokens": 100, "audio_tokens": 60, "image_tokens": 40, "cached_tokens": 70,
        "cached_tokens_details": {"text_tokens": 30, "audio_tokens": 25, "image_tokens": 15},
    }  # fmt: skip
    spoken = {"text_tokens": 5, "audio_tokens": 45}
    assert used(input_tokens=200, output_tokens=50, input_token_details=details, output_token_details=spoken) == {
        Meter.CACHE_READ_TOKENS: 70,
        Meter.AUDIO_INPUT_TOKENS: 35,
        Meter.IMAGE_INPUT_TOKENS: 25,
        Meter.INPUT_TOKENS: 70,
        Meter.AUDIO_OUTPUT_TOKENS: 45,
        Meter.OUTPUT_TOKENS: 5,
    }


COUNTS = st.integers(0, 10_000)


@given(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS))
def test_the_meters_add_up_to_what_was_reported_whatever_the_details_say(counts: tuple[int, ...]) -> None:
    inputs, outputs, audio, cached, cached_audio, spoken = counts
    heard = {"audio_tokens": audio, "cached_tokens": cached, "cached_tokens_details": {"audio_tokens": cached_audio}}
    usage = used(
        input_tokens=inputs,
        output_tokens=outputs,
        input_token_details=heard,
        output_token_details={"audio_tokens": spoken},
    )
    assert usage is not None
    assert sum(count for meter, count in usage.items() if meter in INPUT_METERS) == inputs
    assert sum(count for meter, count in usage.items() if meter not in INPUT_METERS) == outputs
    assert min(usage.values()) >= 0


def test_a_usage_of_zero_is_reported_and_one_that_is_none_is_not() -> None:
    """Promise 11."""
    assert used(input_tokens=0, output_tokens=0) == {Meter.INPUT_TOKENS: 0, Meter.OUTPUT_TOKENS: 0}
    assert said("response.done", response={"id": "r", "usage": None}).usage is None
    assert used(input_tokens=-1, output_tokens=0) is None
    assert used(input_tokens="7", output_tokens=0) is None


def test_an_answer_is_measured_for_an_estimate() -> None:
    text = said("response.output_text.delta", response_id="r", delta="12345678")
    assert (text.response, text.text_bytes, text.audio_tokens) == ("r", 8, 0)
    second = base64.b64encode(bytes(48_000)).decode()
    for kind in ("response.output_audio.delta", "response.audio.delta"):
        assert said(kind, response_id="r", delta=second).audio_tokens == 20
    assert realtime.estimate(10, 9, 0) == {Meter.INPUT_TOKENS: 10, Meter.OUTPUT_TOKENS: 3}
    assert realtime.estimate(10, 0, 4)[Meter.AUDIO_OUTPUT_TOKENS] == 4


def test_a_failed_response_names_its_error() -> None:
    told = {"id": "r", "status": "failed", "status_details": {"error": {"code": "server_error"}}}
    event = said("response.done", response=told)
    assert (event.status, event.code) == ("failed", "server_error")


def test_a_model_is_renamed_where_it_is_the_sessions_own_and_nowhere_else() -> None:
    event = b'{"type":"session.updated","session":{"voice":"x","model":"theirs"}}'
    assert realtime.rename(event, "theirs", "ours") == event.replace(b"theirs", b"ours")
    for untouched in (event, b"{}", b"no", b'{"session":7}', b'{"session":{"model":7}}'):
        assert realtime.rename(untouched, "other", "ours") is untouched


def test_an_error_event_is_one_that_openais_client_reads() -> None:
    event = json.loads(realtime.render_error(faults.INSUFFICIENT_BALANCE, "event_1", "mine"))
    assert (event["type"], event["event_id"]) == ("error", "event_1")
    assert set(event["error"]) == {"type", "code", "message", "param", "event_id"}
    assert (event["error"]["type"], event["error"]["event_id"]) == ("insufficient_quota", "mine")
