"""The official Google SDK: generate_content, whose types take no field that they do not know."""

import base64
from typing import Any

from google import genai
from google.genai import types

from tests.matrix.asking import PERSON, PIXEL, TOLD, TOOL, WEATHER, Ask, Called, Said


class GenerateClient:
    """`client.models.generate_content` and its stream."""

    def __init__(self, base_url: str, key: str) -> None:
        self._sdk = genai.Client(
            api_key=key,
            vertexai=False,
            http_options=types.HttpOptions(base_url=base_url, retry_options=types.HttpRetryOptions(attempts=1)),
        )

    def close(self) -> None:
        self._sdk.close()

    def ask(self, asked: Ask) -> Said:
        turns = _turns(asked)
        wanted: Any = {"model": asked.model, "contents": turns, "config": _config(asked)}
        if asked.stream:
            chunks = list(self._sdk.models.generate_content_stream(**wanted))
        else:
            chunks = [self._sdk.models.generate_content(**wanted)]
        parts = [part for chunk in chunks for part in _parts(chunk)]
        usage: Any = chunks[-1].usage_metadata
        return Said(
            text="".join(part.text or "" for part in parts if not part.thought),
            thoughts="".join(part.text or "" for part in parts if part.thought),
            calls=tuple(
                Called(id=part.function_call.id or "", name=part.function_call.name or "", arguments=_arguments(part))
                for part in parts
                if part.function_call
            ),
            prompt=(usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
            completion=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
            pieces=sum(any(part.text for part in _parts(chunk)) for chunk in chunks),
            turns=[*turns, types.Content(role="model", parts=parts)],
        )


def _parts(chunk: types.GenerateContentResponse) -> list[types.Part]:
    content = chunk.candidates[0].content if chunk.candidates else None
    return (content.parts if content else None) or []


def _arguments(part: types.Part) -> dict[str, Any]:
    return (part.function_call.args if part.function_call else None) or {}


def _turns(asked: Ask) -> list[Any]:
    turns = list(asked.after.turns) if asked.after else []
    parts = [
        types.Part(
            function_response=types.FunctionResponse(
                id=call.id or None, name=call.name, response={"result": asked.result}
            )
        )
        for call in (asked.after.calls if asked.after else ())
    ]
    if asked.image:
        parts.append(types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png"))
    if asked.text:
        parts.append(types.Part(text=asked.text))
    return [*turns, types.Content(role="user", parts=parts)]


def _config(asked: Ask) -> types.GenerateContentConfig:
    config = types.GenerateContentConfig(
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    if asked.tool:
        declared = types.FunctionDeclaration(name=TOOL, description=TOLD, parameters_json_schema=WEATHER)
        config.tools = [types.Tool(function_declarations=[declared])]
    if asked.schema:
        config.response_mime_type = "application/json"
        config.response_json_schema = PERSON
    if asked.thinks:
        config.thinking_config = types.ThinkingConfig(include_thoughts=True, thinking_level=types.ThinkingLevel.LOW)
    return config
