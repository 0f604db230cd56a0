"""What OpenAI's fake models say: a pure function of the request, the same for a stream and for a whole answer.

The words and the rules of `speech`, with what only OpenAI has: choices, legacy functions, custom tools.
"""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from yescale_sandbox.exchange import Tokens
from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.openai.audio import Sound, spoken
from yescale_sandbox.openai.catalogue import ChatModel
from yescale_sandbox.openai.picture import media_type
from yescale_sandbox.openai.prompt import (
    ChatRequest,
    Message,
    NamedText,
    Tool,
    ToolChoice,
    heard_tokens,
    prompt_digest,
    prompt_tokens,
)
from yescale_sandbox.scenario import Script
from yescale_sandbox.speech import (
    QUOTE_CHARS,
    REFUSAL,
    SHORT_QUOTE_CHARS,
    cut_text,
    dictated,
    first_stop,
    grown,
    shortened,
    text_tokens,
    written,
)

CREATED = 1_741_569_952
REASONING_TOKENS = {"none": 0, "minimal": 4, "low": 16, "medium": 32, "high": 64}
CALL_ID_CHARS = 24


class Call(Struct, frozen=True):
    """One call of a tool; `custom` says that its text is free, not JSON."""

    id: str
    name: str
    text: str
    custom: bool = False


class Choice(Struct, frozen=True):
    """One answer out of `n`. Just one of text, refusal, calls and legacy call is there."""

    index: int
    finish: str
    text: str | None = None
    refusal: str | None = None
    calls: tuple[Call, ...] = ()
    legacy: Call | None = None
    is_json: bool = False
    audio: Sound | None = None

    def tokens(self) -> int:
        calls = self.calls if self.legacy is None else (self.legacy,)
        spoken = text_tokens(self.text or "") + text_tokens(self.refusal or "")
        if self.audio is not None:
            spoken += text_tokens(self.audio.transcript) + self.audio.tokens()
        return spoken + sum(text_tokens(call.name) + text_tokens(call.text) for call in calls)


class Reply(Struct, frozen=True):
    """The whole answer before it is written down."""

    id: str
    model: str
    created: int
    service_tier: str
    fingerprint: str | None
    choices: tuple[Choice, ...]
    usage: Tokens


class Speaker(Struct, frozen=True):
    """All that the words depend on."""

    request: ChatRequest
    script: Script
    digest: str
    quote: str


def compose(request: ChatRequest, body: JsonObject, raw: bytes, model: ChatModel, script: Script) -> Reply:
    """Answer a checked request."""
    said = request.last_user_text()
    speaker = Speaker(request, script, prompt_digest(body), shortened(said))
    reasoning = REASONING_TOKENS[request.reasoning_effort or "medium"] if model.reasons else 0
    budget = None if request.most_output is None else max(0, request.most_output - reasoning)
    if request.most_output is not None:
        reasoning = min(reasoning, request.most_output)
    choices = tuple(_voiced(_fitted(_choice(speaker, index), budget), speaker) for index in range(request.n or 1))
    prompt = prompt_tokens(request, body)
    raw_digest = hashlib.sha256(raw).hexdigest()
    return Reply(
        id=f"chatcmpl-{raw_digest[:29]}",
        model=model.dated,
        created=CREATED,
        service_tier=service_tier(request.service_tier),
        fingerprint=None if model.reasons else f"fp_{hashlib.sha256(model.dated.encode()).hexdigest()[:10]}",
        choices=choices,
        usage=Tokens(
            prompt=prompt,
            completion=sum(choice.tokens() + reasoning for choice in choices),
            cached=prompt * script.number("cached") // 100,
            reasoning=reasoning * len(choices),
            heard=heard_tokens(request),
            spoken=sum(choice.audio.tokens() for choice in choices if choice.audio is not None),
        ),
    )


def _choice(speaker: Speaker, index: int) -> Choice:
    if "refuse" in speaker.script:
        return Choice(index, "stop", refusal=REFUSAL)
    calls = _calls(speaker, index)
    named = not isinstance(speaker.request.tool_choice, str | None) and _is_named(speaker.request.tool_choice)
    if calls:
        # A forced call ends with `stop`: OpenAI's function calling guide, "edge cases".
        return Choice(index, "stop" if named else "tool_calls", calls=calls)
    legacy = _legacy_call(speaker, index)
    if legacy is not None:
        forced = isinstance(speaker.request.function_call, NamedText)
        return Choice(index, "stop" if forced else "function_call", legacy=legacy)
    form = speaker.request.response_format
    if form is not None and form.type != "text":
        return Choice(index, "stop", text=_structured(speaker), is_json=True)
    text = grown(_spoken(speaker, index), speaker.script)
    if "filter" in speaker.script:
        return Choice(index, "content_filter", text=text[: len(text) // 2])
    return _stopped(Choice(index, "stop", text=text), speaker.request.stops())


def _voiced(choice: Choice, speaker: Speaker) -> Choice:
    """The choice as audio, where that is asked for: its text becomes what is said."""
    if not speaker.request.speaks or choice.text is None:
        return choice
    sound = spoken(choice.text, f"{speaker.digest}/{choice.index}", CREATED)
    return msgspec.structs.replace(choice, text=None, audio=sound)


def _spoken(speaker: Speaker, index: int) -> str:
    request = speaker.request
    answers = _tool_answers(request.messages)
    which = "" if index == 0 else f" This is choice {index + 1} of {request.n}."
    tail = f"\n\nI am a sandbox: this answer depends on the request alone, digest {speaker.digest}.{which}"
    if answers:
        return " ".join(answers) + tail
    return f"You said: {speaker.quote}" + _seen(request.messages) + tail


def _tool_answers(messages: Sequence[Message]) -> list[str]:
    """What the tool messages at the end of the conversation say."""
    names = {
        call.id: named.name
        for one in messages
        for call in one.tool_calls or []
        if (named := call.function or call.custom)
    }
    answers: list[str] = []
    for message in reversed(messages):
        if message.role not in {"tool", "function"}:
            break
        name = names.get(message.tool_call_id or "", message.name or "")
        answers.insert(0, f"The tool {name} answered: {message.text()[:QUOTE_CHARS]}")
    return answers


def _seen(messages: Sequence[Message]) -> str:
    """The pictures of the last user message: how many, of which kinds."""
    users = [message for message in messages if message.role == "user"]
    pictures = [part.image_url for part in users[-1].parts() if part.image_url is not None] if users else []
    if not pictures:
        return ""
    kinds = [media_type(picture.url, "") for picture in pictures]
    return f"\n\nI see {len(kinds)} {'image' if len(kinds) == 1 else 'images'}: {', '.join(kinds)}."


def _structured(speaker: Speaker) -> str:
    form = speaker.request.response_format
    if form is None or form.json_schema is None:
        return msgspec.json.encode({"you_said": speaker.quote, "digest": speaker.digest}).decode()
    schema: JsonObject = form.json_schema.schema
    return written(schema, speaker.quote)


def _calls(speaker: Speaker, index: int) -> tuple[Call, ...]:
    request = speaker.request
    tools = _eligible(request)
    spelled = _dictated_calls(speaker, tools)
    if spelled is not None:
        return spelled[:1] if request.parallel_tool_calls is False else spelled
    wanted = [tool for tool in tools if tool.name in speaker.quote] if request.asks() else []
    if _demanded(request.tool_choice):
        wanted = wanted or tools[:1]
    if request.parallel_tool_calls is False:
        wanted = wanted[:1]
    return tuple(_call(speaker, tool, (index, place)) for place, tool in enumerate(wanted))


def _dictated_calls(speaker: Speaker, tools: Sequence[Tool]) -> tuple[Call, ...] | None:
    """The calls that the last message, the user's, spells out of the offered tools; None if it spells out none."""
    request = speaker.request
    spelled = dictated(request.last_user_text()) if request.asks() else []
    by_name = {tool.name: tool for tool in tools}
    if not spelled or (_demanded(request.tool_choice) and not any(call.name in by_name for call in spelled)):
        return None
    return tuple(
        Call(_call_id(speaker.digest, (0, place)), call.name, call.arguments, by_name[call.name].custom is not None)
        for place, call in enumerate(spelled)
        if call.name in by_name
    )


def _eligible(request: ChatRequest) -> list[Tool]:
    tools = request.tools or []
    choice = request.tool_choice
    if choice == "none":
        return []
    if isinstance(choice, ToolChoice):
        allowed = choice.allowed_tools.tools if choice.allowed_tools else []
        named = [choice.function, choice.custom, *(tool.function or tool.custom for tool in allowed)]
        names = {one.name for one in named if one is not None}
        return [tool for tool in tools if tool.name in names]
    return tools


def _demanded(choice: str | ToolChoice | None) -> bool:
    if isinstance(choice, ToolChoice):
        return choice.allowed_tools is None or choice.allowed_tools.mode == "required"
    return choice == "required"


def _is_named(choice: ToolChoice) -> bool:
    return choice.allowed_tools is None


def _call(speaker: Speaker, tool: Tool, place: tuple[int, int]) -> Call:
    call_id = _call_id(speaker.digest, place)
    if tool.function is None:
        return Call(call_id, tool.name, f"{tool.name}: {speaker.quote[:SHORT_QUOTE_CHARS]}", custom=True)
    return Call(call_id, tool.name, _arguments(tool.function.parameters, speaker))


def _legacy_call(speaker: Speaker, index: int) -> Call | None:
    request = speaker.request
    choice = request.function_call
    if choice == "none":
        return None
    forced = choice.name if isinstance(choice, NamedText) else None
    asks = request.messages[-1].role == "user"
    for function in request.functions or []:
        if function.name == forced or (forced is None and asks and function.name in speaker.quote):
            return Call(_call_id(speaker.digest, (index, 0)), function.name, _arguments(function.parameters, speaker))
    return None


def _arguments(parameters: JsonObject | None, speaker: Speaker) -> str:
    schema = parameters or {"type": "object", "properties": {}}
    return written(schema, speaker.quote)


def _call_id(digest: str, place: tuple[int, int]) -> str:
    return "call_" + hashlib.sha256(f"{digest}/{place[0]}/{place[1]}".encode()).hexdigest()[:CALL_ID_CHARS]


def _stopped(choice: Choice, stops: Sequence[str]) -> Choice:
    text = choice.text or ""
    found = first_stop(text, stops)
    return choice if found is None else msgspec.structs.replace(choice, text=text[: found[0]])


def _fitted(choice: Choice, budget: int | None) -> Choice:
    """The choice cut to a budget of tokens: text at a character, calls at the argument that is too much."""
    if budget is None or choice.tokens() <= budget:
        return choice
    left = budget
    calls: list[Call] = []
    for call in choice.calls if choice.legacy is None else (choice.legacy,):
        left -= text_tokens(call.name)
        if left < 0:
            break
        calls.append(msgspec.structs.replace(call, text=cut_text(call.text, left)))
        left -= text_tokens(calls[-1].text)
    return msgspec.structs.replace(
        choice,
        finish="length",
        text=None if choice.text is None else cut_text(choice.text, budget),
        refusal=None if choice.refusal is None else cut_text(choice.refusal, budget),
        calls=() if choice.legacy is not None else tuple(calls),
        legacy=calls[0] if choice.legacy is not None and calls else None,
    )


def service_tier(asked: str | None) -> str:
    """The tier that an answer reports: github.com/openai/openai-openapi, `ServiceTier`."""
    return {"fast": "priority", "priority": "priority", "flex": "flex"}.get(asked or "", "default")
