"""A Converse request that uses nearly every field once."""

import base64
from typing import Any

from tests.sandbox.anthropic import bodies
from yescale_sandbox.anthropic import seal

SCHEMA = bodies.SCHEMA
TOOLS = {"tools": [{"toolSpec": {"name": "look", "description": "Looks.", "inputSchema": {"json": SCHEMA}}}]}
IMAGE = {"format": "png", "source": {"bytes": bodies.PNG}}
DOCUMENT = {
    "format": "txt",
    "name": "Colours",
    "source": {"text": "Snow is white. Grass is green."},
    "context": "A test.",
    "citations": {"enabled": True},
}
POINT = {"cachePoint": {"type": "default", "ttl": "5m"}}
CALL = {"toolUse": {"toolUseId": "tooluse_1", "name": "look", "input": {"a": "b"}}}
RESULT = {"toolResult": {"toolUseId": "tooluse_1", "content": [{"text": "seen"}], "status": "success"}}


def thought(text: str = "Hm.") -> dict[str, Any]:
    return {"reasoningContent": {"reasoningText": {"text": text, "signature": seal.sign("thinking", text)}}}


def full() -> dict[str, Any]:
    hidden = base64.b64encode(seal.closed("redacted", "Hm.").encode()).decode()
    result = {**RESULT["toolResult"], "content": [{"text": "seen"}, {"json": {"a": 1}}, {"image": IMAGE}]}
    found = {"source": "https://example.com", "title": "Snow", "content": [{"text": "Snow is white."}]}
    return {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "Look."},
                    {"image": IMAGE},
                    {"document": DOCUMENT},
                    {"searchResult": found},
                    POINT,
                ],
            },
            {"role": "assistant", "content": [thought(), {"reasoningContent": {"redactedContent": hidden}}, CALL]},
            {"role": "user", "content": [{"toolResult": result}, {"text": "And now?"}]},
        ],
        "system": [{"text": "Be kind."}, POINT],
        "inferenceConfig": {"maxTokens": 2048, "topP": 0.99, "stopSequences": ["never"]},
        "toolConfig": {**TOOLS, "tools": [*TOOLS["tools"], POINT], "toolChoice": {"auto": {}}},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
        "requestMetadata": {"who": "someone"},
        "performanceConfig": {"latency": "standard"},
        "serviceTier": {"type": "default"},
    }
