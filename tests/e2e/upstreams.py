"""The fake providers by format: what is asked of each, which tools it is offered, which results of tools it is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Upstream:
    """How the paths of a format end, and where its bodies keep the names of tools and the results of calls."""

    paths: tuple[str, ...]
    tools: Callable[[Body], list[str]]
    results: Callable[[Body], list[str]]


def texts(content: Any) -> list[str]:
    """The texts of a content that may be one text, or a list of parts."""
    return [content] if isinstance(content, str) else [part["text"] for part in content if "text" in part]


def anthropic_results(body: Body) -> list[str]:
    blocks = [
        block for message in body["messages"] if isinstance(message["content"], list) for block in message["content"]
    ]
    return [text for block in blocks if block["type"] == "tool_result" for text in texts(block["content"])]


def chat_results(body: Body) -> list[str]:
    return [text for message in body["messages"] if message["role"] == "tool" for text in texts(message["content"])]


def responses_results(body: Body) -> list[str]:
    return [
        text for item in body["input"] if item.get("type") == "function_call_output" for text in texts(item["output"])
    ]


def gemini_results(body: Body) -> list[str]:
    parts = [part for content in body["contents"] for part in content["parts"]]
    return [str(part["functionResponse"]["response"]) for part in parts if "functionResponse" in part]


def gemini_tools(body: Body) -> list[str]:
    return [function["name"] for tool in body["tools"] for function in tool.get("functionDeclarations", [])]


def named(body: Body) -> list[str]:
    return [tool["name"] for tool in body["tools"] if "name" in tool]


ANTHROPIC = Upstream(("/anthropic/v1/messages",), named, anthropic_results)
CHAT = Upstream(("/chat/completions",), lambda body: [tool["function"]["name"] for tool in body["tools"]], chat_results)
RESPONSES = Upstream(("/openai/v1/responses",), named, responses_results)
GEMINI = Upstream((":generateContent", ":streamGenerateContent"), gemini_tools, gemini_results)
