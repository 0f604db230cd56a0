"""The properties that `make fuzz` attacks for an hour, here for seconds, with everything that was ever found."""

import logging
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.pieces import damaged, places, places_for
from tests.fuzz.targets import TARGETS, Target
from yescale.domain.faults import Fault
from yescale.protocols.codec import Codec
from yescale.protocols.openai_chat.requests import peek_chat, rewrite
from yescale.protocols.passthrough import Change, Peek
from yescale.protocols.registry import CODECS, FORMATS, UPSTREAM_FORMATS

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_seeds_and_what_was_found_before_keep_the_property(target: Target) -> None:
    for data in (*target.seeds, *target.found()):
        target.check(data, places_for(data))


@pytest.mark.timeout(EXAMPLES)
@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_damaged_input_keeps_the_property(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.large_base_example),
    )
    @given(data=damaged(target.seeds, target.words) | st.binary(max_size=60), cuts=places())
    def law(data: bytes, cuts: list[int]) -> None:
        target.check(data, cuts)

    law()


def test_every_format_and_every_half_of_a_codec_is_attacked() -> None:
    codecs = (*CODECS, *UPSTREAM_FORMATS)
    alone = (name for name, form in FORMATS.items() if not isinstance(form.codec, Codec))
    assert {f"{name}.{half}" for name in codecs for half in ("answer", "stream")} <= set(TARGETS)
    assert {f"{name}.request" for name in CODECS} <= set(TARGETS)
    assert {*alone} <= set(TARGETS)


def test_a_body_with_more_marks_than_are_looked_at_is_refused_before_it_is_rewritten() -> None:
    many = b'["a"' + b',"a"' * 250_000 + b"]"
    usual = b'{"model":"m","stream":true,"messages":[{"content":%b}],"tools":%b}' % (many, many)
    assert isinstance(peek_chat(usual), Peek)
    fault = peek_chat(usual[:-1] + b',"stream_options":{"include_usage":false}}')
    assert isinstance(fault, Fault)
    assert "too much" in fault.message


def test_marks_in_the_messages_do_not_count() -> None:
    many = b'["a"' + b',"a"' * 250_000 + b"]"
    body = b'{"model":"m","stream":true,"messages":[{"content":%b}],"stream_options":{}}' % many
    found = peek_chat(body)
    assert isinstance(found, Peek)
    assert rewrite(body, found, Change(model="m")).endswith(b'"stream_options":{"include_usage":true}}')
