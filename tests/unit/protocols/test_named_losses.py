"""Fields within tools, turns and settings that one format alone has: named in the losses, wherever they go."""

import json
from typing import Any

import pytest

from yescale.domain.ids import ProtocolId
from yescale.domain.profile import Profile
from yescale.protocols.codec import NO_WORDS
from yescale.protocols.registry import CODECS

CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "caller": {"type": "direct"}}
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
RESPONSES, CHAT, MESSAGES = map(ProtocolId, ("openai.responses", "openai.chat", "anthropic.messages"))


@pytest.mark.parametrize("target", [CHAT, MESSAGES, ProtocolId("gemini.generate"), RESPONSES])
@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"tools": [TOOL | {"defer_loading": True}]}, {"extras.tools[0].defer_loading"}),
        ({"tools": [TOOL | {"output_schema": {}}, TOOL | {"name": "g", "allowed_callers": ["direct"]}]},
         {"extras.tools[0].output_schema", "extras.tools[1].allowed_callers"}),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [TOOL | {"defer_loading": True}]}]},
         {"extras.tools[0].tools[0].defer_loading"}),
        ({"input": [{"role": "assistant", "content": "x", "phase": "commentary"}]}, {"extras.input[0].phase"}),
        ({"input": [CALL]}, {"extras.input[0].caller"}),
        ({"input": [{"role": "user", "content": 'a "phase" of the moon'}]}, set()),
        ({"tools": [TOOL]}, set()),
    ],
)  # fmt: skip
def test_what_items_and_tools_of_responses_say_beside_is_named(
    body: dict[str, Any], names: set[str], target: ProtocolId
) -> None:
    said = json.dumps({"model": "m", "input": "x"} | body).encode()
    encoded = CODECS[target].encode_request(CODECS[RESPONSES].decode_request(said, NO_WORDS), Profile())
    assert {loss.what for loss in encoded.losses if "[" in loss.what} == names
    assert b"defer_loading" not in encoded.body
    assert b"[0]" not in encoded.body


@pytest.mark.parametrize(
    ("thinking", "lost"),
    [
        ({"type": "adaptive", "display": "updates"}, {"extras.thinking"}),
        ({"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "error"}}, {"extras.thinking"}),
        ({"type": "adaptive", "display": "omitted"}, set()),
    ],
)
def test_a_wish_for_thinking_that_only_anthropic_understands_is_named(thinking: dict[str, Any], lost: set[str]) -> None:
    body = {"model": "m", "max_tokens": 9_000, "thinking": thinking, "messages": [{"role": "user", "content": "x"}]}
    request = CODECS[MESSAGES].decode_request(json.dumps(body).encode(), NO_WORDS)
    assert json.loads(CODECS[MESSAGES].encode_request(request, Profile()).body)["thinking"] == thinking
    losses = CODECS[CHAT].encode_request(request, Profile()).losses
    assert {loss.what for loss in losses if loss.what.startswith("extras")} == lost


def test_a_voice_of_one_s_own_goes_back_to_openai_alone() -> None:
    audio = {"voice": {"id": "voice_1"}, "format": "wav"}
    body = {
        "model": "m",
        "modalities": ["text", "audio"],
        "audio": audio,
        "messages": [{"role": "user", "content": "x"}],
    }
    request = CODECS[CHAT].decode_request(json.dumps(body).encode(), NO_WORDS)
    assert request.voice is None
    assert json.loads(CODECS[CHAT].encode_request(request, Profile()).body)["audio"] == audio
    losses = CODECS[MESSAGES].encode_request(request, Profile()).losses
    assert "extras.audio" in {loss.what for loss in losses}
