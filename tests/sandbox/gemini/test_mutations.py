"""Full valid requests, each field deleted or mistyped: what Google would refuse is refused, and the field is named."""

from typing import Any

import httpx
import pytest

from tests.sandbox.gemini.mutation import Mutation, mutations
from tests.sandbox.gemini.requests import REQUESTS

# What takes any JSON: accepted when mistyped, because nothing is a mistype of it.
ANYTHING = frozenset({"example", "default"})
# What is inside of these is free.
FREE = ANYTHING | {"args", "response", "partMetadata", "parametersJsonSchema", "responseJsonSchema"}
MAPS = frozenset({"properties"})

SPEAKERS = "generationConfig.speechConfig.multiSpeakerVoiceConfig.speakerVoiceConfigs"
# Which fields must not be missing; every other may be left out at Google, so its deletion is accepted. The numbers of
# items are left out where all are alike; the number of a request comes before a slash where only that needs the field.
REQUIRED = {
    "contents": "without contents there is nothing to answer",
    "contents.parts": "a content without parts is empty",
    "systemInstruction.parts": "likewise",
    "contents.parts.text": "a part without its only datum is empty",
    "systemInstruction.parts.text": "likewise",
    "contents.parts.inlineData": "likewise",
    "contents.parts.fileData": "likewise",
    "contents.parts.executableCode": "likewise",
    "contents.parts.codeExecutionResult": "likewise",
    "contents.parts.functionResponse": "likewise",
    "contents.parts.inlineData.mimeType": "bytes of no kind",
    "contents.parts.inlineData.data": "no bytes",
    "contents.parts.fileData.fileUri": "no address",
    "contents.parts.executableCode.language": "required",
    "contents.parts.executableCode.code": "required",
    "contents.parts.codeExecutionResult.outcome": "required",
    "contents.parts.functionCall.name": "required",
    "contents.parts.functionResponse.name": "required",
    "contents.parts.functionResponse.response": "required",
    "contents.parts.functionResponse.parts.inlineData": "an empty part",
    "contents.parts.functionResponse.parts.inlineData.mimeType": "bytes of no kind",
    "contents.parts.functionResponse.parts.inlineData.data": "no bytes",
    "tools.functionDeclarations": "a tool without its only kind is empty",
    "tools.functionDeclarations.name": "required",
    "tools.functionDeclarations.parameters.type": "required",
    "tools.functionDeclarations.parameters.properties.city.type": "required",
    "tools.functionDeclarations.parameters.properties.kinds.type": "required",
    "tools.functionDeclarations.parameters.properties.kinds.items": "required of an array",
    "tools.functionDeclarations.parameters.properties.kinds.items.type": "required",
    "tools.functionDeclarations.parameters.properties.size.anyOf.type": "required",
    "tools.functionDeclarations.parameters.properties": "required of an object",
    "generationConfig.responseSchema.type": "required",
    "generationConfig.responseSchema.properties": "required of an object",
    "generationConfig.responseSchema.properties.city.type": "required",
    "generationConfig.responseSchema.properties.kinds.type": "required",
    "generationConfig.responseSchema.properties.kinds.items": "required of an array",
    "generationConfig.responseSchema.properties.kinds.items.type": "required",
    "generationConfig.responseSchema.properties.size.anyOf.type": "required",
    "safetySettings.category": "required",
    "safetySettings.threshold": "required",
    "generationConfig.responseLogprobs": "logprobs need it",
    "generationConfig.responseMimeType": "a schema needs it",
    "4/generationConfig": "a model of speech must be told to speak",
    "4/generationConfig.responseModalities": "likewise",
    "generationConfig.speechConfig.voiceConfig.prebuiltVoiceConfig.voiceName": "a voice has a name",
    f"{SPEAKERS}.voiceConfig.prebuiltVoiceConfig.voiceName": "likewise",
    "contents.1.role": "without it the call would be the user's",
    "contents.parts.functionCall": "without it the response answers nothing",
    "0/tools": "the function calling config needs it",
    "toolConfig.functionCallingConfig.mode": "allowed names need the mode ANY",
    "tools.functionDeclarations.parameters.properties.size.anyOf": "without it there is no type",
    "generationConfig.responseSchema.properties.size.anyOf": "likewise",
    "generateContentRequest": "nothing to count",
    "generateContentRequest.contents": "nothing to count",
    "requests": "nothing to embed",
    "requests.model": "required in a batch",
    "requests.content": "nothing to embed",
    "requests.content.parts": "nothing to embed",
    "requests.content.parts.text": "nothing to embed",
    "requests.taskType": "a title needs it",
    "tools.googleSearch": "a tool without its only kind is empty",
    "tools.googleSearchRetrieval": "likewise",
    "tools.codeExecution": "likewise",
    "tools.urlContext": "likewise",
}
# Faults that are refused without their name, with the reason.
UNNAMED = {
    "generateContentRequest": "the complaint is about contents, which could stand there instead",
    "requests.content.parts": "the complaint is about content, which is then empty",
    "requests.content.parts.text": "likewise",
    "4/generationConfig": "the complaint is about the modalities that were in it",
    "contents.1.role": "the complaint is about the order of turns",
    "0/tools": "the complaint is about what needs them",
    "tools.functionDeclarations.parameters.properties.size.anyOf": "the complaint is about the type",
    "generationConfig.responseSchema.properties.size.anyOf": "likewise",
}


def is_fault(number: int, mutation: Mutation) -> bool:
    """Whether Google takes the mutation for a fault."""
    if mutation.what == "mistyped":
        return mutation.path[-1] not in ANYTHING
    return not REQUIRED.keys().isdisjoint(keys(number, mutation))


def keys(number: int, mutation: Mutation) -> set[str]:
    return {mutation.pattern, mutation.place, f"{number}/{mutation.pattern}"}


def post(google: httpx.Client, model: str, method: str, body: dict[str, Any]) -> httpx.Response:
    return google.post(f"/models/{model}:{method}", json=body)


@pytest.mark.parametrize(("model", "method", "body"), REQUESTS)
def test_the_full_request_is_good(google: httpx.Client, model: str, method: str, body: dict[str, Any]) -> None:
    answer = post(google, model, method, body)
    assert answer.status_code == 200, answer.text


def test_faults_are_refused_and_named_and_the_rest_is_taken(google: httpx.Client) -> None:
    faults, refused, named = 0, 0, 0
    astray: list[str] = []
    for number, (model, method, body) in enumerate(REQUESTS):
        for mutation in mutations(body, FREE, MAPS):
            answer = post(google, model, method, mutation.body)
            is_refused = answer.status_code == 400
            if not is_fault(number, mutation):
                astray += [f"{mutation.place} {mutation.what}: refused"] if is_refused else []
                continue
            says = is_refused and mutation.named_in(answer.json()["error"]["message"])
            faults, refused, named = faults + 1, refused + is_refused, named + says
            if not says and UNNAMED.keys().isdisjoint(keys(number, mutation)):
                astray.append(f"{mutation.place} {mutation.what}: {answer.text}")
    assert astray == []
    assert faults > 300
    assert refused / faults == 1
    assert named / faults >= 0.95
