"""Full requests to Vertex, each field deleted or mistyped: what Google would refuse is refused and the field named."""

from typing import Any

import httpx

from tests.sandbox.gemini.mutation import mutations
from tests.sandbox.gemini.requests import CONVERSATION, SAMPLING, SCHEMA

FREE = frozenset({"example", "default", "additionalProperties", "args", "response"})
MAPS = frozenset({"properties", "defs", "labels"})
ANYTHING = frozenset({"example", "default", "additionalProperties"})
BLOB = {**CONVERSATION[0]["parts"][1]["inlineData"], "displayName": "a"}
FILE = {"mimeType": "video/mp4", "fileUri": "gs://a/b", "displayName": "b"}
LOW = {"level": "MEDIA_RESOLUTION_LOW"}
CALL = CONVERSATION[1]["parts"][3]
RESPONSE = {
    "name": "weather",
    "response": {},
    "parts": [{"inlineData": BLOB}, {"fileData": FILE}],
    "scheduling": "SILENT",
}
WIDER = {**SCHEMA, "additionalProperties": False, "defs": {"x": {"type": "STRING"}}, "ref": "#/defs/x"}
FULL: dict[str, Any] = {
    "contents": [
        {
            "role": "user",
            "parts": [{"text": "x"}, {"inlineData": BLOB, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}],
        },
        {"role": "model", "parts": [{"text": "y", "thought": True}, CALL]},
        {"role": "user", "parts": [{"functionResponse": RESPONSE}]},
    ],
    "systemInstruction": {"role": "user", "parts": [{"text": "z"}]},
    "tools": [{"functionDeclarations": [{"name": "weather", "parameters": WIDER}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
    "safetySettings": [{"category": "HARM_CATEGORY_JAILBREAK", "threshold": "OFF", "method": "SEVERITY"}],
    "generationConfig": {
        **{name: value for name, value in SAMPLING.items() if name != "enableEnhancedCivicAnswers"},
        "audioTimestamp": True,
        "responseLogprobs": True,
        "logprobs": 2,
    },
    "labels": {"team": "a"},
    "modelArmorConfig": {"promptTemplateName": "p", "responseTemplateName": "r"},
}
# Which fields must not be missing; every other may be left out, so its deletion is accepted.
REQUIRED = {
    "contents": "nothing to answer",
    "tools": "the function calling config needs it",
    "tools.functionDeclarations": "an empty tool",
    "contents.role": "Vertex wants to be told who speaks",
    "contents.parts": "an empty content",
    "systemInstruction.parts": "likewise",
    "contents.parts.text": "an empty part",
    "systemInstruction.parts.text": "likewise",
    "contents.parts.inlineData": "likewise",
    "contents.parts.functionCall": "the response would answer nothing",
    "contents.parts.functionResponse": "an empty part",
    "contents.parts.inlineData.mimeType": "bytes of no kind",
    "contents.parts.inlineData.data": "no bytes",
    "contents.parts.functionCall.name": "required",
    "contents.parts.functionResponse.name": "required",
    "contents.parts.functionResponse.response": "required",
    "contents.parts.functionResponse.parts.inlineData": "an empty part",
    "contents.parts.functionResponse.parts.inlineData.mimeType": "bytes of no kind",
    "contents.parts.functionResponse.parts.inlineData.data": "no bytes",
    "contents.parts.functionResponse.parts.fileData": "an empty part",
    "contents.parts.functionResponse.parts.fileData.fileUri": "no address",
    "tools.functionDeclarations.name": "required",
    "tools.functionDeclarations.parameters.type": "required",
    "tools.functionDeclarations.parameters.properties": "required of an object",
    "tools.functionDeclarations.parameters.properties.city.type": "required",
    "tools.functionDeclarations.parameters.properties.kinds.type": "required",
    "tools.functionDeclarations.parameters.properties.kinds.items": "required of an array",
    "tools.functionDeclarations.parameters.properties.kinds.items.type": "required",
    "tools.functionDeclarations.parameters.properties.size.anyOf": "without it there is no type",
    "tools.functionDeclarations.parameters.properties.size.anyOf.type": "required",
    "toolConfig.functionCallingConfig.mode": "allowed names need the mode ANY",
    "safetySettings.category": "required",
    "safetySettings.threshold": "required",
    "generationConfig.responseLogprobs": "logprobs need it",
    "instances": "nothing to embed",
    "instances.content": "likewise",
    "instances.taskType": "a title needs it",
}
# Faults that are refused without their name, because the complaint is about what needs them.
UNNAMED = {"tools", "tools.functionDeclarations.parameters.properties.size.anyOf"}
PREDICTION = {
    "instances": [{"content": "x", "taskType": "RETRIEVAL_DOCUMENT", "title": "t"}],
    "parameters": {"autoTruncate": True, "outputDimensionality": 4},
}


def test_faults_are_refused_and_named_and_the_rest_is_taken(vertex: httpx.Client) -> None:
    faults, refused, named = 0, 0, 0
    astray: list[str] = []
    for path, body in (("/gemini-2.5-flash:generateContent", FULL), ("/text-embedding-004:predict", PREDICTION)):
        assert vertex.post(path, json=body).status_code == 200, vertex.post(path, json=body).text
        for mutation in mutations(body, FREE, MAPS):
            answer = vertex.post(path, json=mutation.body)
            is_refused = answer.status_code == 400
            mistyped = mutation.what == "mistyped"
            if (mistyped and mutation.path[-1] in ANYTHING) or (not mistyped and mutation.pattern not in REQUIRED):
                astray += [f"{mutation.place} {mutation.what}: {answer.text}"] if is_refused else []
                continue
            says = is_refused and mutation.named_in(answer.json()["error"]["message"])
            faults, refused, named = faults + 1, refused + is_refused, named + says
            if not says and mutation.pattern not in UNNAMED:
                astray.append(f"{mutation.place} {mutation.what}: {answer.text}")
    assert astray == []
    assert faults > 150
    assert refused == faults
    assert named / faults >= 0.95
