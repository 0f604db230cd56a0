"""The official Anthropic SDK: messages, with every answer validated strictly."""

from typing import Any

from anthropic import Anthropic

from tests.matrix.asking import PERSON, PIXEL, TOLD, TOOL, WEATHER, Ask, Called, Said

BUDGET = 1024
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}


class MessagesClient:
    """`client.messages`."""

    def __init__(self, base_url: str, key: str) -> None:
        self._sdk = Anthropic(base_url=base_url, api_key=key, max_retries=0, _strict_response_validation=True)

    def close(self) -> None:
        self._sdk.close()

    def ask(self, asked: Ask) -> Said:
        turns = _turns(asked)
        wanted = {"model": asked.model, "max_tokens": 16_000, "messages": turns, **_options(asked)}
        pieces = 0
        if asked.stream:
            with self._sdk.messages.stream(**wanted) as events:
                pieces = sum(event.type == "text" for event in events)
                answer: Any = events.get_final_message()
        else:
            answer = self._sdk.messages.create(**wanted)
        usage = answer.usage
        return Said(
            text="".join(block.text for block in answer.content if block.type == "text"),
            thoughts="".join(block.thinking for block in answer.content if block.type == "thinking"),
            calls=tuple(
                Called(id=block.id, name=block.name, arguments=block.input)
                for block in answer.content
                if block.type == "tool_use"
            ),
            prompt=usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0),
            completion=usage.output_tokens,
            pieces=pieces,
            turns=[*turns, {"role": "assistant", "content": [_block(block) for block in answer.content]}],
        )


def _block(block: Any) -> dict[str, Any]:
    told = block.to_dict()
    return {name: value for name, value in told.items() if name != "parsed_output" and value is not None}


def _turns(asked: Ask) -> list[Any]:
    turns = list(asked.after.turns) if asked.after else []
    calls = asked.after.calls if asked.after else ()
    content = [{"type": "tool_result", "tool_use_id": call.id, "content": asked.result} for call in calls]
    if asked.image:
        content.append(IMAGE)
    if asked.text:
        content.append({"type": "text", "text": asked.text})
    return [*turns, {"role": "user", "content": content}]


def _options(asked: Ask) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if asked.tool:
        options["tools"] = [{"name": TOOL, "description": TOLD, "input_schema": WEATHER}]
    if asked.schema:
        options["output_config"] = {"format": {"type": "json_schema", "schema": PERSON}}
    if asked.thinks:
        options["thinking"] = {"type": "enabled", "budget_tokens": BUDGET}
    return options
