"""Anthropic's own client reads every kind of answer, with its types enforced."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from anthropic import (
    Anthropic,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from pydantic import BaseModel

from tests.sandbox.anthropic import bodies
from tests.sandbox.anthropic.test_messages import REQUESTS, STYLES

Ask = Callable[..., httpx.Response]
MODEL = "claude-sonnet-4-5"

# The client warns of models that are soon withdrawn.
pytestmark = pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning")


def asked(marker: str, **changes: Any) -> Any:
    return {"model": MODEL, "max_tokens": 4096, "messages": [{"role": "user", "content": marker}], **changes}


def accepted(name: str) -> dict[str, Any]:
    """A request as the client takes it."""
    return {key: value for key, value in REQUESTS[name].items() if key not in ("stream", "top_p")}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_client_reads_whole_answers(claude: Anthropic, marker: str, name: str) -> None:
    """promise 27"""
    made = claude.messages.create(**asked(marker, **accepted(name)))
    assert made.usage.input_tokens > 0
    assert made.stop_reason is not None


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", REQUESTS)
def test_the_client_reads_streams_to_the_same_end(claude: Anthropic, marker: str, name: str, style: str) -> None:
    """promise 27"""
    request = asked(marker, **accepted(name)) | {"model": f"{MODEL}{style}"}
    whole = claude.messages.create(**request)
    with claude.messages.stream(**request) as stream:
        final = stream.get_final_message()
    assert final.stop_reason == whole.stop_reason
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert [block.type for block in final.content] == [block.type for block in whole.content]
    for streamed, told in zip(final.content, whole.content, strict=True):
        if streamed.type == "text" and told.type == "text":
            assert streamed.text == told.text
        if streamed.type == "tool_use" and told.type == "tool_use":
            assert streamed.input == told.input


class Step(BaseModel):
    explanation: str
    done: bool


def test_the_client_parses_structured_output(claude: Anthropic, marker: str) -> None:
    made = claude.messages.parse(**asked(marker), output_format=Step)
    assert made.parsed_output == Step(explanation=marker, done=True)


def test_the_client_counts_tokens_and_lists_models(claude: Anthropic, marker: str) -> None:
    counted = claude.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": marker}])
    assert counted.input_tokens > 0
    models = list(claude.models.list(limit=2))
    assert "claude-opus-4-5-20251101" in {model.id for model in models}
    assert len(models) == 9
    assert claude.models.retrieve("claude-3-7-sonnet-latest").display_name == "Claude Sonnet 3.7"


def test_the_beta_client_opens_fields_by_its_betas(claude: Anthropic, marker: str) -> None:
    made = claude.beta.messages.create(
        **asked(marker), context_management={"edits": []}, betas=["context-management-2025-06-27"]
    )
    assert made.context_management is not None
    assert made.context_management.applied_edits == []


def test_the_client_goes_through_a_loop_of_tools(claude: Anthropic, marker: str) -> None:
    tools: Any = [{"name": "look", "input_schema": bodies.SCHEMA}]
    told: list[Any] = [{"role": "user", "content": f"look {marker}"}]
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    request: Any = {"model": MODEL, "max_tokens": 2048, "tools": tools, "thinking": thinking}
    made = claude.messages.create(messages=told, **request)
    assert [block.type for block in made.content] == ["thinking", "tool_use"]
    call: Any = made.content[1]
    told += [
        {"role": "assistant", "content": made.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "seen"}]},
    ]
    said: Any = claude.messages.create(messages=told, **request).content[1]
    assert said.text.startswith("The tool look answered: seen")


ERRORS: dict[str, tuple[type[APIStatusError], int, str]] = {
    "400": (BadRequestError, 400, "invalid_request_error"),
    "401": (AuthenticationError, 401, "authentication_error"),
    "402": (APIStatusError, 402, "billing_error"),
    "403": (PermissionDeniedError, 403, "permission_error"),
    "404": (NotFoundError, 404, "not_found_error"),
    "429": (RateLimitError, 429, "rate_limit_error"),
    "quota": (BadRequestError, 400, "invalid_request_error"),
    "500": (APIStatusError, 500, "api_error"),
    "502": (APIStatusError, 502, "api_error"),
    "503": (APIStatusError, 503, "api_error"),
    "529": (APIStatusError, 529, "overloaded_error"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_the_client_raises_what_anthropic_means(claude: Anthropic, marker: str, name: str) -> None:
    kind, status, word = ERRORS[name]
    with pytest.raises(kind) as failed:
        claude.messages.create(**asked(marker, model=f"{MODEL}+{name}"))
    body: Any = failed.value.body
    assert (failed.value.status_code, body["error"]["type"]) == (status, word)
    assert failed.value.request_id == body["request_id"]
    assert failed.value.response.headers.get("retry-after") == ("1" if name == "429" else None)


def test_the_client_raises_the_error_within_a_stream(claude: Anthropic, marker: str) -> None:
    with (
        pytest.raises(APIStatusError) as failed,
        claude.messages.stream(**asked(marker, model=f"{MODEL}+error-3")) as stream,
    ):
        stream.get_final_message()
    assert "overloaded_error" in json.dumps(failed.value.body)
