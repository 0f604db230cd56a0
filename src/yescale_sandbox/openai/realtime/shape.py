"""What a client may send: the fields of its events, of a session, of an item, of a response."""

from collections.abc import Mapping

from msgspec import Struct

from yescale_sandbox.jsontype import Json
from yescale_sandbox.openai.chat_shape import VOICES
from yescale_sandbox.openai.shapes import (
    Anything,
    Choice,
    Either,
    Field,
    Fields,
    Flag,
    Items,
    Number,
    Open,
    Pairs,
    Tagged,
    Text,
    Whole,
    maybe,
    need,
    wrong_type,
)

_TYPE = need(Text())
_ID = Field(Text(most=512))
_MODALITIES = Items(Choice(("text", "audio")), "strings", least=1)


class Limit(Struct, frozen=True):
    """A number of tokens, or `inf`."""

    @property
    def article(self) -> str:
        return "one of an integer or 'inf'"

    def check(self, value: Json, path: str) -> None:
        if value == "inf":
            return
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(self, value, path)
        Whole(least=1, most=4096).check(value, path)


_FUNCTION = Fields(
    {
        "type": need(Choice(("function",))),
        "name": need(Text(least=1, most=64)),
        "description": Field(Text()),
        "parameters": Field(Open()),
    }
)
_TOOL_CHOICE = Either(
    Choice(("none", "auto", "required")),
    Fields({"type": need(Choice(("function",))), "name": need(Text(least=1))}),
    "one of a string or object",
)
_VOICE = Choice(VOICES)
_FORMAT = Fields({"type": need(Choice(("audio/pcm",))), "rate": Field(Whole(least=24_000, most=24_000))})
_TURNS = maybe(
    Fields(
        {
            "type": need(Choice(("server_vad", "semantic_vad"))),
            "threshold": Field(Number(0, 1)),
            "prefix_padding_ms": Field(Whole(least=0)),
            "silence_duration_ms": Field(Whole(least=0)),
            "idle_timeout_ms": maybe(Whole(least=0)),
            "eagerness": Field(Choice(("low", "medium", "high", "auto"))),
            "create_response": Field(Flag()),
            "interrupt_response": Field(Flag()),
        }
    )
)
_TRANSCRIPTION = maybe(Fields({name: Field(Text()) for name in ("model", "language", "prompt")}))
_NOISE = maybe(Fields({"type": need(Choice(("near_field", "far_field")))}))
_OUTPUT_AUDIO = Fields({"format": Field(_FORMAT), "voice": Field(_VOICE), "speed": Field(Number(0, 2))})
_INPUT_AUDIO = Fields(
    {
        "format": Field(_FORMAT),
        "transcription": _TRANSCRIPTION,
        "noise_reduction": _NOISE,
        "turn_detection": _TURNS,
    }
)
_BOTH: Mapping[str, Field] = {
    "model": Field(Text()),
    "instructions": Field(Text()),
    "tools": Field(Items(_FUNCTION)),
    "tool_choice": Field(_TOOL_CHOICE),
    "tracing": maybe(Anything()),
}
SESSION = Fields(
    {
        "type": need(Choice(("realtime",))),
        **_BOTH,
        "output_modalities": Field(_MODALITIES),
        "audio": Field(Fields({"input": Field(_INPUT_AUDIO), "output": Field(_OUTPUT_AUDIO)})),
        "max_output_tokens": Field(Limit()),
        "parallel_tool_calls": Field(Flag()),
        "truncation": Field(Anything()),
        "include": maybe(Items(Text(), "strings")),
        "prompt": maybe(Open()),
        "reasoning": Field(Open()),
    }
)
BETA_SESSION = Fields(
    {
        **_BOTH,
        "modalities": Field(_MODALITIES),
        "voice": Field(_VOICE),
        "input_audio_format": Field(Choice(("pcm16",))),
        "output_audio_format": Field(Choice(("pcm16",))),
        "input_audio_transcription": _TRANSCRIPTION,
        "input_audio_noise_reduction": _NOISE,
        "turn_detection": _TURNS,
        "temperature": Field(Number(0, 2)),
        "max_response_output_tokens": Field(Limit()),
        "speed": Field(Number(0, 2)),
    }
)
_ITEM = {"type": _TYPE, "id": Field(Text(least=1, most=64)), "object": Field(Text()), "status": Field(Text())}
_CALL = {**_ITEM, "call_id": need(Text(least=1, most=64))}
PART = Tagged(
    "type",
    {
        "input_text": Fields({"type": _TYPE, "text": need(Text())}),
        "input_audio": Fields({"type": _TYPE, "audio": need(Text()), "transcript": maybe(Text())}),
        "input_image": Fields({"type": _TYPE, "image_url": need(Text()), "detail": Field(Text())}),
        **dict.fromkeys(("text", "output_text"), Fields({"type": _TYPE, "text": need(Text())})),
        **dict.fromkeys(
            ("audio", "output_audio"),
            Fields({"type": _TYPE, "audio": Field(Text()), "transcript": need(Text())}),
        ),
    },
)
ITEM = Tagged(
    "type",
    {
        "message": Fields(
            {**_ITEM, "role": need(Choice(("user", "assistant", "system"))), "content": need(Items(PART, least=1))}
        ),
        "function_call": Fields({**_CALL, "name": need(Text(least=1)), "arguments": need(Text())}),
        "function_call_output": Fields({**_CALL, "output": need(Text())}),
    },
)
_RESPONSE: Mapping[str, Field] = {
    "instructions": Field(Text()),
    "tools": Field(Items(_FUNCTION)),
    "tool_choice": Field(_TOOL_CHOICE),
    "conversation": Field(Choice(("auto", "none"))),
    "metadata": maybe(Pairs(Text(most=512), most=16, most_key=64)),
    "input": Field(Items(ITEM)),
    "output_modalities": Field(_MODALITIES),
    "max_output_tokens": Field(Limit()),
    "audio": Field(Fields({"output": Field(_OUTPUT_AUDIO)})),
}
_BETA_RESPONSE: Mapping[str, Field] = {
    "modalities": Field(_MODALITIES),
    "voice": Field(_VOICE),
    "output_audio_format": Field(Choice(("pcm16",))),
    "temperature": Field(Number(0, 2)),
    "max_response_output_tokens": Field(Limit()),
}
_OF_ITEM = {"type": _TYPE, "event_id": _ID, "item_id": need(Text(least=1))}


def client_events(*, beta: bool) -> Tagged:
    """Every event that a client may send."""
    response = Fields({**_RESPONSE, **(_BETA_RESPONSE if beta else {})})
    plain = {"type": _TYPE, "event_id": _ID}
    truncated = {"content_index": need(Whole(least=0)), "audio_end_ms": need(Whole(least=0))}
    return Tagged(
        "type",
        {
            "session.update": Fields({**plain, "session": need(BETA_SESSION if beta else SESSION)}),
            "input_audio_buffer.append": Fields({**plain, "audio": need(Text())}),
            "input_audio_buffer.commit": Fields(plain),
            "input_audio_buffer.clear": Fields(plain),
            "conversation.item.create": Fields({**plain, "item": need(ITEM), "previous_item_id": maybe(Text())}),
            "conversation.item.retrieve": Fields(_OF_ITEM),
            "conversation.item.truncate": Fields({**_OF_ITEM, **truncated}),
            "conversation.item.delete": Fields(_OF_ITEM),
            "response.create": Fields({**plain, "response": maybe(response)}),
            "response.cancel": Fields({**plain, "response_id": Field(Text())}),
        },
    )
