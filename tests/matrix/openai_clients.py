"""The official OpenAI SDK: chat completions and Responses, with every answer validated strictly."""

import json
from typing import Any

from openai import OpenAI

from tests.matrix.asking import PERSON, PIXEL, TOLD, TOOL, WEATHER, Ask, Called, Said

EFFORT = "low"
IMAGE_URL = f"data:image/png;base64,{PIXEL}"


def _sdk(base_url: str, key: str) -> OpenAI:
    return OpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0, _strict_response_validation=True)


class ChatClient:
    """`client.chat.completions`."""

    def __init__(self, base_url: str, key: str) -> None:
        self._sdk = _sdk(base_url, key)

    def close(self) -> None:
        self._sdk.close()

    def ask(self, asked: Ask) -> Said:
        turns = self._turns(asked)
        wanted = {"model": asked.model, "messages": turns, **_chat_options(asked)}
        pieces = 0
        if asked.stream:
            with self._sdk.chat.completions.stream(**wanted, stream_options={"include_usage": True}) as events:
                pieces = sum(event.type == "content.delta" for event in events)
                answer: Any = events.get_final_completion()
        else:
            answer = self._sdk.chat.completions.create(**wanted)
        message = answer.choices[0].message
        return Said(
            text=message.content or "",
            thoughts=getattr(message, "reasoning_content", None) or "",
            calls=tuple(_called(call.id, call.function) for call in message.tool_calls or ()),
            prompt=answer.usage.prompt_tokens,
            completion=answer.usage.completion_tokens,
            pieces=pieces,
            turns=[*turns, _as_sent(message.to_dict())],
        )

    def _turns(self, asked: Ask) -> list[Any]:
        turns = list(asked.after.turns) if asked.after else []
        for call in asked.after.calls if asked.after else ():
            turns.append({"role": "tool", "tool_call_id": call.id, "content": asked.result})
        if asked.text:
            image = [{"type": "image_url", "image_url": {"url": IMAGE_URL}}] if asked.image else []
            turns.append({"role": "user", "content": [{"type": "text", "text": asked.text}, *image]})
        return turns


def _as_sent(message: dict[str, Any]) -> dict[str, Any]:
    """The message without what the SDK adds for its reader."""
    calls = [_unparsed(call) for call in message.get("tool_calls") or ()]
    return {name: value for name, value in message.items() if name != "parsed"} | (
        {"tool_calls": calls} if calls else {}
    )


def _unparsed(call: dict[str, Any]) -> dict[str, Any]:
    function = {name: value for name, value in call["function"].items() if name != "parsed_arguments"}
    return {"id": call["id"], "type": call["type"], "function": function}


def _chat_options(asked: Ask) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if asked.tool:
        function = {"name": TOOL, "description": TOLD, "parameters": WEATHER, "strict": True}
        options["tools"] = [{"type": "function", "function": function}]
    if asked.schema:
        options["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "person", "strict": True, "schema": PERSON},
        }
    if asked.thinks:
        options["reasoning_effort"] = EFFORT
    return options


class ResponsesClient:
    """`client.responses`, without a store: the whole conversation goes along."""

    def __init__(self, base_url: str, key: str) -> None:
        self._sdk = _sdk(base_url, key)

    def close(self) -> None:
        self._sdk.close()

    def ask(self, asked: Ask) -> Said:
        turns = self._turns(asked)
        wanted = {"model": asked.model, "input": turns, "store": False, **_response_options(asked)}
        pieces = 0
        if asked.stream:
            with self._sdk.responses.stream(**wanted) as events:
                pieces = sum(event.type == "response.output_text.delta" for event in events)
                answer: Any = events.get_final_response()
        else:
            answer = self._sdk.responses.create(**wanted)
        items = [item.to_dict() for item in answer.output]
        for item in items:
            item.pop("parsed_arguments", None)
            for part in item.get("content") or ():
                part.pop("parsed", None)
        return Said(
            text=answer.output_text,
            thoughts="".join(
                part["text"] for item in items if item["type"] == "reasoning" for part in item.get("summary") or ()
            ),
            calls=tuple(_called(item.call_id, item) for item in answer.output if item.type == "function_call"),
            prompt=answer.usage.input_tokens,
            completion=answer.usage.output_tokens,
            pieces=pieces,
            turns=[*turns, *items],
        )

    def _turns(self, asked: Ask) -> list[Any]:
        turns = list(asked.after.turns) if asked.after else []
        for call in asked.after.calls if asked.after else ():
            turns.append({"type": "function_call_output", "call_id": call.id, "output": asked.result})
        if asked.text:
            image = [{"type": "input_image", "image_url": IMAGE_URL, "detail": "auto"}] if asked.image else []
            turns.append({"role": "user", "content": [{"type": "input_text", "text": asked.text}, *image]})
        return turns


def _response_options(asked: Ask) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if asked.tool:
        options["tools"] = [
            {"type": "function", "name": TOOL, "description": TOLD, "parameters": WEATHER, "strict": True}
        ]
    if asked.schema:
        options["text"] = {"format": {"type": "json_schema", "name": "person", "strict": True, "schema": PERSON}}
    if asked.thinks:
        options["reasoning"] = {"effort": EFFORT, "summary": "auto"}
        options["include"] = ["reasoning.encrypted_content"]
    return options


def _called(id_: str, function: Any) -> Called:
    return Called(id=id_, name=function.name, arguments=json.loads(function.arguments))
