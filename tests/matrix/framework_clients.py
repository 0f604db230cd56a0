"""Frameworks: LangChain's three chat models and LlamaIndex's OpenAI."""

from collections.abc import Callable
from typing import Any, Literal

import httpx
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock, ThinkingBlock
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI as LlamaOpenAI

from tests.matrix.asking import PERSON, PIXEL, TOLD, TOOL, WEATHER, Ask, Called, Said

FUNCTION = {"type": "function", "function": {"name": TOOL, "description": TOLD, "parameters": WEATHER}}


class LangChainClient:
    """A chat model of LangChain, as `make` builds it for a request."""

    def __init__(self, make: Callable[[Ask], BaseChatModel], close: Callable[[], None] | None = None) -> None:
        self._make = make
        self._close = close

    def close(self) -> None:
        """What a package does not cache for all its models is ours to close."""
        if self._close is not None:
            self._close()

    def ask(self, asked: Ask) -> Said:
        turns = _langchain_turns(asked)
        model: Any = self._make(asked)
        if asked.tool:
            model = model.bind_tools([FUNCTION])
        if asked.schema:
            model = model.with_structured_output(PERSON, method="json_schema", include_raw=True)
        pieces: list[Any] = list(model.stream(turns)) if asked.stream else [model.invoke(turns)]
        if asked.schema:
            pieces = [piece["raw"] for piece in pieces if "raw" in piece]
        answer = pieces[0]
        for piece in pieces[1:]:
            answer += piece
        return _langchain_said(answer, pieces, turns)


def _langchain_said(answer: AIMessage, pieces: list[Any], turns: list[Any]) -> Said:
    usage = answer.usage_metadata
    assert usage is not None
    blocks = answer.content_blocks
    return Said(
        text=str(answer.text),
        thoughts="".join(str(block.get("reasoning", "")) for block in blocks if block["type"] == "reasoning"),
        calls=tuple(
            Called(id=call["id"] or "", name=call["name"], arguments=call["args"]) for call in answer.tool_calls
        ),
        prompt=usage["input_tokens"],
        completion=usage["output_tokens"],
        pieces=sum(bool(str(piece.text)) for piece in pieces),
        turns=[*turns, answer],
    )


def _langchain_turns(asked: Ask) -> list[Any]:
    turns = list(asked.after.turns) if asked.after else []
    for call in asked.after.calls if asked.after else ():
        turns.append(ToolMessage(content=asked.result, tool_call_id=call.id, name=call.name))
    if asked.text:
        content: list[Any] = [{"type": "text", "text": asked.text}]
        if asked.image:
            content.append({"type": "image", "base64": PIXEL, "mime_type": "image/png"})
        turns.append(HumanMessage(content=content))
    return turns


def langchain_openai(base_url: str, key: str) -> LangChainClient:
    """ChatOpenAI over chat completions."""
    return _langchain_openai(base_url, key, {"stream_usage": True}, {"reasoning_effort": "low"})


def langchain_responses(base_url: str, key: str) -> LangChainClient:
    """ChatOpenAI over Responses, without a store."""
    thinks = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    options = {"use_responses_api": True, "output_version": "responses/v1", "store": False}
    return _langchain_openai(base_url, key, options, thinks)


def _langchain_openai(base_url: str, key: str, options: dict[str, Any], thinks: dict[str, Any]) -> LangChainClient:
    http = httpx.Client(timeout=60)
    common: dict[str, Any] = {"base_url": f"{base_url}/v1", "api_key": key, "max_retries": 0, "http_client": http}

    def make(asked: Ask) -> BaseChatModel:
        return ChatOpenAI(model=asked.model, **common, **options, **(thinks if asked.thinks else {}))

    return LangChainClient(make, http.close)


def langchain_anthropic(base_url: str, key: str) -> LangChainClient:
    """ChatAnthropic."""
    common: dict[str, Any] = {"base_url": base_url, "api_key": key, "max_retries": 0, "max_tokens": 16_000}

    def make(asked: Ask) -> BaseChatModel:
        thinks: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}} if asked.thinks else {}
        return ChatAnthropic(**{"model": asked.model, **common, **thinks})

    return LangChainClient(make)


def langchain_google(base_url: str, key: str) -> LangChainClient:
    """ChatGoogleGenerativeAI."""
    common: dict[str, Any] = {"base_url": base_url, "google_api_key": key, "max_retries": 0, "vertexai": False}

    made: list[ChatGoogleGenerativeAI] = []

    def make(asked: Ask) -> BaseChatModel:
        thinks: dict[str, Any] = {"include_thoughts": True, "thinking_level": "low"} if asked.thinks else {}
        made.append(ChatGoogleGenerativeAI(model=asked.model, **common, **thinks))
        return made[-1]

    def close() -> None:
        for model in made:
            if model.client is not None:
                model.client.close()

    return LangChainClient(make, close)


def get_weather(city: str, unit: Literal["c", "f"]) -> str:
    """The weather of a city."""
    return f"{city} {unit}"


class LlamaIndexClient:
    """LlamaIndex's OpenAI."""

    def __init__(self, base_url: str, key: str) -> None:
        self._http = httpx.Client(timeout=60)
        self._common: dict[str, Any] = {
            "api_base": f"{base_url}/v1",
            "api_key": key,
            "max_retries": 0,
            "http_client": self._http,
        }

    def close(self) -> None:
        self._http.close()

    def ask(self, asked: Ask) -> Said:
        turns = _llama_turns(asked)
        options: dict[str, Any] = {"stream_options": {"include_usage": True}} if asked.stream else {}
        if asked.schema:
            schema = {"name": "person", "strict": True, "schema": PERSON}
            options["response_format"] = {"type": "json_schema", "json_schema": schema}
        thinks: dict[str, Any] = {"reasoning_effort": "low"} if asked.thinks else {}
        model = LlamaOpenAI(model=asked.model, **self._common, **thinks, additional_kwargs=options)
        if asked.tool and asked.stream:
            pieces = list(model.stream_chat_with_tools([_weather_tool()], chat_history=turns))
        elif asked.tool:
            pieces = [model.chat_with_tools([_weather_tool()], chat_history=turns)]
        elif asked.stream:
            pieces = list(model.stream_chat(turns))
        else:
            pieces = [model.chat(turns)]
        return _llama_said(model, pieces, turns)


def _weather_tool() -> FunctionTool:
    return FunctionTool.from_defaults(fn=get_weather, name=TOOL, description=TOLD)


def _llama_said(model: LlamaOpenAI, pieces: list[Any], turns: list[ChatMessage]) -> Said:
    answer = pieces[-1]
    usage: Any = next(piece.raw.usage for piece in reversed(pieces) if piece.raw.usage is not None)
    calls = model.get_tool_calls_from_response(answer, error_on_no_tool_call=False)
    return Said(
        text=answer.message.content or "",
        thoughts="".join(block.content or "" for block in answer.message.blocks if isinstance(block, ThinkingBlock)),
        calls=tuple(Called(id=call.tool_id, name=call.tool_name, arguments=call.tool_kwargs) for call in calls),
        prompt=usage.prompt_tokens,
        completion=usage.completion_tokens,
        pieces=sum(bool(piece.delta) for piece in pieces),
        turns=[*turns, answer.message],
    )


def _llama_turns(asked: Ask) -> list[ChatMessage]:
    turns = list(asked.after.turns) if asked.after else []
    for call in asked.after.calls if asked.after else ():
        turns.append(
            ChatMessage(role=MessageRole.TOOL, content=asked.result, additional_kwargs={"tool_call_id": call.id})
        )
    if asked.text:
        image = [ImageBlock(image=PIXEL.encode(), image_mimetype="image/png")] if asked.image else []
        turns.append(ChatMessage(role=MessageRole.USER, blocks=[TextBlock(text=asked.text), *image]))
    return turns
