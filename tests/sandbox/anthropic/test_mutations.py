"""A good request with one field changed is refused, and the refusal names the field."""

import re
from typing import Any

import httpx
import pytest

from tests.sandbox.anthropic import bodies
from tests.sandbox.mutations import Mutation, mutations

BETAS = {"anthropic-beta": bodies.FORMATTED_BETAS}
BODIES = {"full": bodies.full(), "formatted": bodies.formatted()}
LEAST_SHARE = 0.95

# What Anthropic takes though it was changed: the mutation, as a pattern, and why.
FREE = {
    r"(mistyped|unknown|without) .*\.input\..*": "the arguments of a call are free",
    r"(mistyped|unknown|without) .*input_examples\.0\..*": "an example of arguments is free",
    r"unknown .*schema(\.properties\.a)?\.nobody_knows_this": "a JSON Schema may have keywords of its own",
    r"without .*schema\..*": "the keywords of a JSON Schema are optional",
    r"mistyped .*schema\.properties\.a": "true is a JSON Schema too",
    r"mistyped .*input_schema\.additionalProperties": "any JSON Schema may stand there",
}
OPTIONAL = {
    "cache_control", "ttl", "citations", "title", "context", "is_error", "page_age", "type", "description",
    "strict", "max_uses", "max_content_tokens", "max_characters", "allowed_domains", "blocked_domains",
    "user_location", "city", "region", "country", "timezone", "disable_parallel_tool_use", "system",
    "stop_sequences", "stream", "top_p", "top_k", "temperature", "tools", "tool_choice", "thinking", "metadata",
    "user_id", "service_tier", "container", "enabled", "input_examples", "display_number", "output_config",
    "effort", "format", "mcp_servers", "authorization_token", "tool_configuration", "allowed_tools",
    "context_management", "edits", "trigger", "keep", "clear_tool_inputs", "exclude_tools", "content",
}  # fmt: skip


def reason(mutation: Mutation) -> str | None:
    """Why a mutation is no fault; None if it is one."""
    if mutation.kind == "without" and mutation.field in OPTIONAL:
        return "an optional field was left out"
    return next((why for pattern, why in FREE.items() if re.fullmatch(pattern, str(mutation))), None)


@pytest.mark.parametrize("name", BODIES)
def test_the_unchanged_request_is_taken(http: httpx.Client, name: str) -> None:
    answer = http.post("/anthropic/v1/messages", json=BODIES[name], headers=BETAS)
    assert answer.status_code == 200, answer.text


def test_nearly_every_mutation_is_refused_with_the_name_of_the_field(http: httpx.Client) -> None:
    refused: list[Mutation] = []
    accepted: list[Mutation] = []
    nameless: list[str] = []
    for body in BODIES.values():
        for mutation in mutations(body):
            answer = http.post("/anthropic/v1/messages", json=mutation.body, headers=BETAS)
            if answer.status_code == 200:
                accepted.append(mutation)
                continue
            refused.append(mutation)
            message: str = answer.json()["error"]["message"]
            assert answer.status_code in (400, 404), message
            if not names(mutation, message):
                nameless.append(f"{mutation}: {message}")
    faults = [mutation for mutation in accepted if reason(mutation) is None]
    share = (len(refused) - len(nameless)) / (len(refused) + len(faults))
    print(f"{len(refused)} refused, {len(accepted)} accepted, of which {len(faults)} without a reason: {share:.1%}")
    assert share >= LEAST_SHARE, [*map(str, faults), *nameless]
    assert not faults, [str(mutation) for mutation in faults]
    assert len(refused) > 400


def names(mutation: Mutation, message: str) -> bool:
    """Whether the message speaks of the field, of the object that holds it, or of what it belongs to."""
    steps: list[Any] = [step for step in mutation.path if isinstance(step, str)][-2:]
    return any(str(step) in message for step in steps)
