"""Requests: what Google's clients say in canonical form and back, and what foreign requests become for Google."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from yescale.domain.chat import (
    ChatRequest,
    HostedTool,
    Message,
    OutputForm,
    Reasoning,
    Sampling,
    Tool,
    ToolChoice,
    Voice,
)
from yescale.domain.content import (
    Audio,
    CachePoint,
    File,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Opaque,
    Part,
    Refusal,
    Stored,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from yescale.domain.ids import ProtocolId
from yescale.domain.profile import Profile
from yescale.protocols.codec import Malformed, PathWords
from yescale.protocols.gemini_generate import CODEC
from yescale.protocols.gemini_generate.seals import carry
from yescale.protocols.gemini_generate.tools import reserve_names

OWN = ProtocolId("gemini.generate")
FOREIGN = ProtocolId("anthropic.messages")
WORDS = PathWords("gemini-2.5-flash", False)
PLAIN = Profile()
GEMINI_3 = Profile(seals_required=True)


def decode(body: object, words: PathWords = WORDS) -> ChatRequest:
    return CODEC.decode_request(json.dumps(body).encode(), words)


def encode(request: ChatRequest, profile: Profile = PLAIN) -> Any:
    return json.loads(CODEC.encode_request(request, profile).body)


def losses(request: ChatRequest, profile: Profile = PLAIN) -> dict[str, str]:
    return {loss.what: loss.weight for loss in CODEC.encode_request(request, profile).losses}


def asked(*parts: Part, role: str = "user", **more: Any) -> ChatRequest:
    message = Message(role="assistant" if role == "assistant" else "user", parts=parts)
    return ChatRequest(model=WORDS.model, messages=(message,), **more)


def part_of(wire: object) -> tuple[Part, ...]:
    return decode({"contents": [{"role": "model", "parts": [wire]}]}).messages[0].parts


PARTS: list[tuple[object, tuple[Part, ...]]] = [
    ({"text": "hi"}, (Text(text="hi"),)),
    ({"text": "hm", "thought": True}, (Thinking(text="hm", origin=OWN),)),
    ({"text": "hm", "thought": True, "thoughtSignature": "c2Vh"}, (Thinking(text="hm", seal="c2Vh", origin=OWN),)),
    ({"text": "", "thoughtSignature": "c2Vh"}, (Thinking(seal="c2Vh", origin=OWN, redacted=True),)),
    ({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, (Image(source=Inline("image/png", "AAAA")),)),
    ({"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}, (Audio(source=Inline("audio/wav", "AAAA")),)),
    (
        {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
        (File(source=Inline("application/pdf", "AAAA")),),
    ),
    (
        {"fileData": {"fileUri": "https://a.b/c.png", "mimeType": "image/png"}},
        (Image(source=Url("https://a.b/c.png", "image/png")),),
    ),
    (
        {"fileData": {"fileUri": "gs://b/c.mp4", "mimeType": "video/mp4"}},
        (File(source=Stored("gs://b/c.mp4", OWN, "video/mp4")),),
    ),
    (
        {"functionCall": {"id": "1", "name": "f", "args": {"a": 1.0}}, "thoughtSignature": "c2Vh"},
        (ToolCall(id="1", name="f", arguments='{"a": 1.0}', seal="c2Vh", origin=OWN),),
    ),
]


@pytest.mark.parametrize(("wire", "parts"), PARTS)
def test_a_part_is_read_and_written_as_it_was(wire: object, parts: tuple[Part, ...]) -> None:
    assert part_of(wire) == parts
    assert encode(asked(*parts, role="assistant"))["contents"] == [{"role": "model", "parts": [wire]}]


KEPT = [
    {"fileData": {"fileUri": "https://youtu.be/x"}, "videoMetadata": {"fps": 5}},
    {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB"}},
    {"functionCall": {"name": "f", "partialArgs": []}},
    {"thought": True, "inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    {"text": "hi", "partMetadata": {"a": 1}},
    {},
]


@pytest.mark.parametrize("wire", KEPT)
def test_what_we_do_not_know_of_a_part_keeps_it_whole(wire: object) -> None:
    (part,) = part_of(wire)
    assert isinstance(part, Opaque)
    assert json.loads(bytes(part.raw)) == wire
    assert encode(asked(part))["contents"][0]["parts"] == [wire]


def test_both_spellings_mean_the_same() -> None:
    snake = {
        "contents": {"parts": {"inline_data": {"mime_type": "image/png", "data": "AAAA"}}},
        "system_instruction": {"parts": [{"text": "be kind"}]},
        "generation_config": {"max_output_tokens": "40", "top_k": 3.0, "thinking_config": {"include_thoughts": True}},
        "tools": {"google_search": {}},
    }
    request = decode(snake)
    assert request.messages[0].parts == (Image(source=Inline("image/png", "AAAA")),)
    assert request.system == (Text(text="be kind"),)
    assert (request.max_tokens, request.sampling.top_k) == (40, 3)
    assert request.reasoning == Reasoning(shown=True)
    assert request.tools == (HostedTool(kind="web_search", origin=OWN, raw=Raw(b'{"googleSearch":{}}')),)


def test_everything_of_the_configuration_is_read_and_written() -> None:
    config = {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 3,
        "seed": 7,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
        "responseLogprobs": True,
        "logprobs": 2,
        "maxOutputTokens": 9,
        "candidateCount": 2,
        "stopSequences": ["x"],
        "responseModalities": ["TEXT", "AUDIO"],
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "low"},
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
    }
    body = {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "generationConfig": config,
        "safetySettings": [{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE"}],
        "cachedContent": "cachedContents/abc",
        "serviceTier": "flex",
        "toolConfig": {"retrievalConfig": {"languageCode": "de"}},
    }
    request = decode(body)
    assert request.sampling == Sampling(
        temperature=0.5,
        top_p=0.9,
        top_k=3,
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logprobs=True,
        top_logprobs=2,
    )
    assert (request.max_tokens, request.n, request.stop) == (9, 2, ("x",))
    assert request.output == OutputForm(schema=Raw(b'{"type": "object"}'))
    assert request.voice == Voice(name="Kore")
    assert request.reasoning == Reasoning(shown=True, effort="low")
    assert encode(request) == body
    assert losses(request) == {}


def test_a_context_cache_is_content_that_no_other_format_may_leave_out() -> None:
    request = decode({"contents": [{"parts": [{"text": "hi"}]}], "cachedContent": "cachedContents/abc"})
    assert request.messages[0].parts == (File(source=Stored("cachedContents/abc", OWN)),)


def test_calls_without_ids_get_the_same_ones_every_time_and_answers_find_them_by_name_and_order() -> None:
    def call(name: str) -> object:
        return {"functionCall": {"name": name, "args": {}}}

    def answer(name: str, text: str) -> object:
        return {"functionResponse": {"name": name, "response": {"output": text}}}

    body = {
        "contents": [
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "model", "parts": [call("f"), call("g"), call("f")]},
            {"role": "user", "parts": [answer("g", "1"), answer("f", "2"), answer("f", "3")]},
        ]
    }
    request = decode(body)
    assert request == decode(body)
    first, second, third = (part.id for part in request.messages[1].parts if isinstance(part, ToolCall))
    assert len({first, second, third}) == 3
    assert max(map(len, (first, second, third))) <= 40  # OpenAI takes no longer ones
    answers = [part for part in request.messages[2].parts if isinstance(part, ToolResult)]
    assert [part.call_id for part in answers] == [second, first, third]
    assert [part.content for part in answers] == [(Text(text=text),) for text in "123"]


RESULTS = [
    ({"output": "fine"}, ToolResult(call_id="1", name="f", content=(Text(text="fine"),))),
    ({"error": "bad"}, ToolResult(call_id="1", name="f", content=(Text(text="bad"),), failed=True)),
    ({"z": 1.10}, ToolResult(call_id="1", name="f", content=(Text(text='{"z": 1.1}'),))),
    ({"output": 1}, ToolResult(call_id="1", name="f", content=(Text(text='{"output": 1}'),))),
]


@pytest.mark.parametrize(("response", "result"), RESULTS)
def test_an_answer_of_a_function_is_its_words(response: object, result: ToolResult) -> None:
    assert part_of({"functionResponse": {"id": "1", "name": "f", "response": response}}) == (result,)


def test_a_result_gets_its_name_from_its_call_and_its_pictures_stand_where_the_model_takes_them() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    call = Message(role="assistant", parts=(ToolCall(id="1", name="f", arguments=""),))
    content = (Text(text="see"), Image(source=Inline("image/png", "AAAA")))
    request = ChatRequest(
        model="m", messages=(call, Message(role="user", parts=(ToolResult(call_id="1", content=content),)))
    )
    response = {"id": "1", "name": "f", "response": {"output": "see"}}
    old, new = encode(request)["contents"][1], encode(request, GEMINI_3)["contents"][1]
    assert old["parts"] == [{"functionResponse": response}, picture]
    assert new["parts"] == [{"functionResponse": {**response, "parts": [picture]}}]
    assert decode({"contents": [new]}).messages[0].parts == (ToolResult(call_id="1", name="f", content=content),)


def test_arguments_keep_their_bytes_and_what_is_no_object_keeps_its_text() -> None:
    exact = CODEC.encode_request(asked(ToolCall(id="1", name="f", arguments='{"z":1.10}')), PLAIN)
    assert b'"args":{"z":1.10}' in exact.body
    assert exact.losses == ()
    broken = asked(ToolCall(id="1", name="f", arguments='{"z":'))
    assert encode(broken)["contents"][0]["parts"][0]["functionCall"]["args"] == {"_raw": '{"z":'}
    assert losses(broken) == {"tool_call.arguments": "setting"}
    assert encode(asked(ToolCall(id="1", name="f", arguments="")))["contents"][0]["parts"][0]["functionCall"] == {
        "id": "1",
        "name": "f",
        "args": {},
    }


def test_only_the_first_call_of_a_turn_gets_a_placeholder_where_seals_are_required() -> None:
    foreign = ToolCall(id="1", name="f", arguments="{}", seal="x", origin=FOREIGN)
    own = ToolCall(id="2", name="f", arguments="{}", seal="c2Vh", origin=OWN)
    parts = encode(asked(foreign, own, role="assistant"), GEMINI_3)["contents"][0]["parts"]
    assert [part["thoughtSignature"] for part in parts] == ["skip_thought_signature_validator", "c2Vh"]
    parts = encode(asked(own, foreign, role="assistant"), GEMINI_3)["contents"][0]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == ["c2Vh", None]
    assert "thoughtSignature" not in encode(asked(foreign, role="assistant"))["contents"][0]["parts"][0]
    assert losses(asked(foreign, role="assistant")) == {"thinking.seal": "hint"}


@pytest.mark.parametrize("alphabet", ["+/", "-_"])
def test_a_foreign_seal_comes_back_from_a_client_that_decoded_it(alphabet: str) -> None:
    carried = carry("s\xff?>~" * 9, FOREIGN).translate(str.maketrans("+/", alphabet)).rstrip("=")
    (part,) = part_of({"text": "hm", "thought": True, "thoughtSignature": carried})
    assert part == Thinking(text="hm", seal="s\xff?>~" * 9, origin=FOREIGN)


def test_thoughts_that_a_client_kept_as_they_were_streamed_are_one_with_their_seal() -> None:
    """The SDK's chats keep one content for each chunk; another provider takes a seal only with all its words."""
    pieces = [{"text": "a", "thought": True}, {"text": "b", "thought": True}]
    sealed = {"text": "", "thought": True, "thoughtSignature": carry("se", FOREIGN)}
    contents = [{"role": "model", "parts": [part]} for part in (*pieces, sealed, {"text": "so"})]
    (message,) = decode({"contents": contents}).messages
    assert message.parts == (Thinking(text="ab", seal="se", origin=FOREIGN), Text(text="so"))


FUNCTION = {
    "name": "f",
    "description": "does",
    "parameters": {
        "type": "OBJECT",
        "properties": {
            "a": {"type": "STRING", "nullable": True, "enum": ["x"]},
            "b": {"type": "ARRAY", "min_items": "1", "items": {"type": "INTEGER"}},
            "c": {"any_of": [{"type": "NUMBER"}, {"type": "BOOLEAN"}]},
        },
        "required": ["a"],
    },
}
SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": ["string", "null"], "enum": ["x"]},
        "b": {"type": "array", "minItems": 1, "items": {"type": "integer"}},
        "c": {"anyOf": [{"type": "number"}, {"type": "boolean"}]},
    },
    "required": ["a"],
}


def test_a_function_of_googles_schema_becomes_one_of_json_schema() -> None:
    body = {
        "contents": [{"parts": [{"text": "hi"}]}],
        "tools": [{"functionDeclarations": [{**FUNCTION, "behavior": "BLOCKING"}], "codeExecution": {}}],
        "generationConfig": {"responseMimeType": "application/json", "responseSchema": FUNCTION["parameters"]},
    }
    request = decode(body)
    tool, hosted = request.tools
    assert isinstance(tool, Tool)
    assert tool.parameters is not None
    assert json.loads(bytes(tool.parameters)) == SCHEMA
    assert isinstance(hosted, HostedTool)
    assert hosted.kind == "code_execution"
    assert request.output is not None
    assert request.output.schema is not None
    assert json.loads(bytes(request.output.schema)) == SCHEMA
    declared = {"name": "f", "description": "does", "parametersJsonSchema": SCHEMA, "behavior": "BLOCKING"}
    assert encode(request)["tools"] == [{"functionDeclarations": [declared]}, {"codeExecution": {}}]


CHOICES = [
    ({"mode": "AUTO"}, ToolChoice(mode="auto")),
    ({"mode": "NONE"}, ToolChoice(mode="none")),
    ({"mode": "ANY"}, ToolChoice(mode="required")),
    ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ToolChoice(mode="named", name="f")),
    ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, ToolChoice(mode="required", allowed=("f", "g"))),
    ({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}, ToolChoice(mode="auto", allowed=("f",))),
]


@pytest.mark.parametrize(("wire", "choice"), CHOICES)
def test_a_choice_of_tools_is_read_and_written(wire: object, choice: ToolChoice) -> None:
    tools = [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]
    body = {
        "contents": [{"role": "user", "parts": [{"text": "x"}]}],
        "tools": tools,
        "toolConfig": {"functionCallingConfig": wire},
    }
    assert decode(body).tool_choice == choice
    assert encode(decode(body)) == body


def test_a_custom_tool_is_a_function_with_one_text() -> None:
    patch = ToolCall(id="1", name="patch", arguments="*** Begin", custom=True)
    request = asked(Text(text="x"), tools=(Tool(name="patch", custom=True),))
    wire = encode(replace(request, messages=(*request.messages, Message(role="assistant", parts=(patch,)))))
    (function,) = wire["tools"][0]["functionDeclarations"]
    assert function["parametersJsonSchema"]["required"] == ["input"]
    assert wire["contents"][-1]["parts"][0]["functionCall"]["args"] == {"input": "*** Begin"}


def test_a_search_of_another_format_gives_way_to_functions() -> None:
    search = HostedTool(kind="web_search", origin=FOREIGN)
    assert encode(asked(Text(text="x"), tools=(search,)))["tools"] == [{"googleSearch": {}}]
    both = asked(Text(text="x"), tools=(search, Tool(name="f")))
    assert encode(both)["tools"] == [{"functionDeclarations": [{"name": "f"}]}]
    assert losses(both) == {"tools.web_search": "setting"}


def test_reserved_names_switch_on_googles_own_tools() -> None:
    tools = tuple(Tool(name=name) for name in ("googleSearch", "f", "codeExecution", "urlContext"))
    request = asked(Text(text="x"), tools=tools, tool_choice=ToolChoice(mode="named", name="googleSearch"))
    kinds = [tool.kind for tool in reserve_names(request).tools if isinstance(tool, HostedTool)]
    assert kinds == ["web_search", "code_execution", "url_context"]
    assert encode(request)["tools"] == [
        {"functionDeclarations": [{"name": "f"}]},
        {"googleSearch": {}},
        {"codeExecution": {}},
        {"urlContext": {}},
    ]
    assert "toolConfig" not in encode(request)
    plain = asked(Text(text="x"), tools=(Tool(name="f"),))
    assert reserve_names(plain) is plain


THINKING: list[tuple[Reasoning, Profile, object]] = [
    (Reasoning(effort="medium"), Profile(thinks="budget"), {"thinkingBudget": 8192}),
    (Reasoning(effort="none"), Profile(thinks="budget"), {"thinkingBudget": 0}),
    (Reasoning(enabled=False), Profile(thinks="budget"), {"thinkingBudget": 0}),
    (Reasoning(enabled=True), Profile(thinks="budget"), {"thinkingBudget": -1}),
    (Reasoning(effort="xhigh", shown=True), PLAIN, {"thinkingLevel": "high", "includeThoughts": True}),
    (Reasoning(effort="low", budget=99), PLAIN, {"thinkingLevel": "low"}),
    (Reasoning(budget=99), PLAIN, {"thinkingBudget": 99}),
    (Reasoning(effort="low"), Profile(thinks="no"), None),
    (Reasoning(), PLAIN, None),
]


@pytest.mark.parametrize(("reasoning", "profile", "wire"), THINKING)
def test_thinking_is_said_as_the_model_takes_it(reasoning: Reasoning, profile: Profile, wire: object) -> None:
    config = encode(asked(Text(text="x"), reasoning=reasoning), profile).get("generationConfig", {})
    assert config.get("thinkingConfig") == wire


def test_nothing_is_added_that_the_client_did_not_say() -> None:
    """Promise 30."""
    assert encode(asked(Text(text="x"))) == {"contents": [{"role": "user", "parts": [{"text": "x"}]}]}


def test_a_late_system_message_is_said_by_the_user_in_its_place() -> None:
    """Promise 25."""
    messages = (
        Message(role="user", parts=(Text(text="a"),)),
        Message(role="assistant", parts=(Text(text="b"),)),
        Message(role="system", parts=(Text(text="c"),)),
        Message(role="user", parts=(Text(text="d"),)),
    )
    contents = encode(ChatRequest(model="m", messages=messages))["contents"]
    assert [(one["role"], [part["text"] for part in one["parts"]]) for one in contents] == [
        ("user", ["a"]),
        ("model", ["b"]),
        ("user", ["c", "d"]),
    ]


LOST: list[tuple[ChatRequest, dict[str, str]]] = [
    (asked(Image(source=Stored("f", FOREIGN))), {"part.image": "content"}),
    (asked(Opaque(origin=FOREIGN, raw=Raw(b"{}"))), {"part.opaque": "content"}),
    (asked(Audio(id="a", transcript="words")), {"part.audio": "setting"}),
    (asked(Thinking(text="hm", seal="s", origin=FOREIGN)), {"thinking.seal": "hint"}),
    (asked(Text(text="x", cache=CachePoint())), {"cache": "hint"}),
    (asked(Image(source=Url("https://a/b"), detail="low")), {"part.image.detail": "setting"}),
    (
        asked(HostedResult(call_id="1", tool="web_search", origin=FOREIGN, raw=Raw(b"{}"))),
        {"hosted.web_search": "setting"},
    ),
    (asked(Text(text="x"), tools=(Tool(name="f", custom=True),)), {"tools.custom": "setting"}),
    (asked(Text(text="x"), tools=(Tool(name="f", strict=True),)), {"tools.strict": "setting"}),
    (
        asked(Text(text="x"), tools=(HostedTool(kind="file_search", origin=FOREIGN),)),
        {"tools.file_search": "setting"},
    ),
    (
        asked(Text(text="x"), tools=(HostedTool(kind="web_search", origin=FOREIGN, max_uses=2),)),
        {"tools.web_search.max_uses": "setting"},
    ),
    (asked(Text(text="x"), sampling=Sampling(logit_bias=Raw(b"{}"))), {"sampling.logit_bias": "setting"}),
    (asked(Text(text="x"), stop=("a", "b", "c", "d", "e", "f")), {"stop": "setting"}),
    (asked(Text(text="x"), parallel_tools=False), {"parallel_tools": "setting"}),
    (asked(Text(text="x"), verbosity="low"), {"verbosity": "setting"}),
    (asked(Text(text="x"), user="u", cache_key="k"), {"user": "hint", "cache_key": "hint"}),
    (asked(Text(text="x"), service_tier="scale"), {"service_tier": "setting"}),
    (asked(Text(text="x"), voice=Voice(name="Kore", format="mp3")), {"voice.format": "setting"}),
    (
        asked(Text(text="x"), extras={FOREIGN: {"metadata": Raw(b"1"), "container": Raw(b"1")}}),
        {"extras.metadata": "hint", "extras.container": "setting"},
    ),
]


def test_a_conversation_of_empty_texts_is_still_a_request() -> None:
    silent = encode(asked(Text(text="")))
    assert silent["contents"] == [{"role": "user", "parts": [{"text": ""}]}]
    assert decode(silent).messages == (Message(role="user", parts=()),)


@pytest.mark.parametrize(("request_", "lost"), LOST)
def test_what_cannot_be_said_is_a_loss(request_: ChatRequest, lost: dict[str, str]) -> None:
    assert losses(request_) == lost


def test_a_model_that_takes_no_sampling_is_told_none() -> None:
    request = asked(Text(text="x"), sampling=Sampling(temperature=0.1, seed=3))
    profile = Profile(samples=False)
    assert encode(request, profile)["generationConfig"] == {"seed": 3}
    assert losses(request, profile) == {"sampling.temperature": "setting"}


def test_own_code_and_its_output_go_back_as_they_came() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "print(1)"}}
    output = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}
    call, result = decode({"contents": [{"role": "model", "parts": [code, output]}]}).messages[0].parts
    assert isinstance(call, HostedCall)
    assert isinstance(result, HostedResult)
    assert (call.id, result.text, result.failed) == (result.call_id, "1\n", False)
    assert json.loads(call.arguments) == {"language": "python", "code": "print(1)"}
    assert encode(asked(call, result, role="assistant"))["contents"][0]["parts"] == [code, output]


HI = [{"parts": [{"text": "x"}]}]
MALFORMED: list[tuple[object, str | None]] = [
    ([], None),
    ({}, "contents"),
    ({"contents": []}, "contents"),
    ({"contents": ["x"]}, "contents[0]"),
    ({"contents": [{"role": "system", "parts": []}]}, "contents[0].role"),
    ({"contents": [{"parts": ["x"]}]}, "contents[0].parts[0]"),
    ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"),
    ({"contents": [{"parts": [{"inlineData": {"data": "x"}}]}]}, "contents[0].parts[0].inlineData"),
    ({"contents": [{"parts": [{"fileData": {}}]}]}, "contents[0].parts[0].fileData.fileUri"),
    ({"contents": [{"parts": [{"functionCall": {}}]}]}, "contents[0].parts[0].functionCall.name"),
    ({"contents": [{"parts": [{"functionResponse": {}}]}]}, "contents[0].parts[0].functionResponse.name"),
    ({"contents": HI, "generationConfig": 1}, "generationConfig"),
    ({"contents": HI, "generationConfig": {"topK": 1.5}}, "generationConfig.topK"),
    ({"contents": HI, "generationConfig": {"temperature": "nan"}}, "generationConfig.temperature"),
    ({"contents": HI, "generationConfig": {"maxOutputTokens": 0}}, "generationConfig.maxOutputTokens"),
    (
        {"contents": HI, "generationConfig": {"thinkingConfig": {"thinkingLevel": "x"}}},
        "generationConfig.thinkingConfig.thinkingLevel",
    ),
    ({"contents": HI, "generationConfig": {}, "generation_config": {}}, "generationConfig"),
    ({"contents": HI, "systemInstruction": "x"}, "systemInstruction"),
    (
        {"contents": HI, "systemInstruction": {"parts": [{"inlineData": {"mimeType": "image/png", "data": ""}}]}},
        "systemInstruction",
    ),
    ({"contents": HI, "tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
    (
        {"contents": HI, "toolConfig": {"functionCallingConfig": {"mode": "X"}}},
        "toolConfig.functionCallingConfig.mode",
    ),
    ({"contents": HI, "cachedContent": "x"}, "cachedContent"),
]


@pytest.mark.parametrize(("body", "field"), MALFORMED)
def test_a_malformed_request_names_the_field(body: object, field: str | None) -> None:
    with pytest.raises(Malformed) as caught:
        decode(body)
    assert caught.value.fault.param == field
    assert caught.value.fault.status == 400


def test_bytes_that_are_no_text_and_schemas_without_a_bottom_are_refused() -> None:
    broken = b'{"contents":[{"parts":[{"functionCall":{"name":"f","args":{"a":"\xff"}}}]}]}'
    deep: object = {"type": "STRING"}
    for _ in range(80):
        deep = {"type": "ARRAY", "items": deep}
    declared = {"contents": HI, "tools": [{"functionDeclarations": [{"name": "f", "parameters": deep}]}]}
    for body in (broken, json.dumps(declared).encode(), b'{"contents":' + b"[" * 5000, b"\xff", b""):
        with pytest.raises(Malformed):
            CODEC.decode_request(body, WORDS)


NAMES = st.sampled_from(["f", "g"])
LETTERS = st.text("ab\u00e9 ", min_size=1, max_size=6)
BASE64 = st.sampled_from(["AAAA", "c2VhbA=="])
OBJECTS = st.dictionaries(LETTERS, st.integers() | LETTERS, max_size=2).map(json.dumps)


def apart(parts: list[Part]) -> list[Part]:
    """No two thoughts in a row, which would be one."""
    return [part for n, part in enumerate(parts) if not (n and isinstance(part, Thinking))]


SPOKEN: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, text=LETTERS),
    st.builds(Thinking, text=LETTERS, seal=BASE64 | st.just(""), origin=st.just(OWN)),
    st.builds(Thinking, seal=BASE64, origin=st.just(OWN), redacted=st.just(True)),
    st.builds(lambda data: Image(source=Inline("image/png", data)), BASE64),
    st.builds(ToolCall, id=LETTERS, name=NAMES, arguments=OBJECTS),
    st.builds(ToolCall, id=LETTERS, name=NAMES, arguments=OBJECTS, seal=BASE64, origin=st.just(OWN)),
)
HEARD: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, text=LETTERS),
    st.builds(lambda data: Audio(source=Inline("audio/wav", data)), BASE64),
    st.builds(lambda name: File(source=Url(f"https://a.b/{name}", "application/pdf")), NAMES),
    st.builds(
        ToolResult,
        call_id=LETTERS,
        name=NAMES,
        content=st.tuples(st.builds(Text, text=LETTERS)) | st.tuples(st.builds(Text, text=OBJECTS)),
        failed=st.booleans(),
    ),
)
TURNS = st.lists(
    st.tuples(st.lists(HEARD, min_size=1, max_size=3), st.lists(SPOKEN, min_size=1, max_size=3).map(apart)),
    min_size=1,
    max_size=2,
).map(
    lambda turns: tuple(
        message
        for heard, spoken in turns
        for message in (Message(role="user", parts=tuple(heard)), Message(role="assistant", parts=tuple(spoken)))
    )
)
REQUESTS = st.builds(
    ChatRequest,
    model=st.just(WORDS.model),
    messages=TURNS,
    system=st.just(()) | st.tuples(st.builds(Text, text=LETTERS)),
    tools=st.just(()) | st.tuples(st.builds(Tool, name=NAMES, parameters=st.none() | st.just(Raw(b'{"type":"x"}')))),
    max_tokens=st.none() | st.integers(1, 99),
    stop=st.lists(LETTERS, max_size=3).map(tuple),
    n=st.none() | st.integers(1, 4),
    sampling=st.builds(Sampling, temperature=st.none() | st.floats(0, 2), top_k=st.none() | st.integers(1, 9)),
    reasoning=st.none() | st.builds(Reasoning, budget=st.integers(-1, 99).filter(bool), shown=st.booleans()),
    output=st.none() | st.builds(OutputForm, schema=st.none() | st.just(Raw(b'{"a": 1.0}'))),
    voice=st.none() | st.builds(Voice, name=LETTERS),
    modalities=st.sampled_from([(), ("text",), ("text", "image")]),
    extras=st.sampled_from([{}, {OWN: {"labels": Raw(b'{"a":"b"}'), "generationConfig.imageConfig": Raw(b"{}")}}]),
)


@settings(deadline=None)
@given(REQUESTS)
def test_what_the_format_can_say_comes_back_as_it_was(request_: ChatRequest) -> None:
    encoded = CODEC.encode_request(request_, PLAIN)
    assert encoded.losses == ()
    assert replace(CODEC.decode_request(encoded.body, WORDS), usage_wanted=False) == request_


def test_words_of_refusal_are_text() -> None:
    assert encode(asked(Refusal(text="no"), role="assistant"))["contents"][0]["parts"] == [{"text": "no"}]
