"""The messages of aiplatform v1, where they differ from those of the Gemini API."""

from collections.abc import Mapping

from yescale_sandbox.gemini.message import (
    ANY,
    CATEGORY,
    CONFIG,
    CONTENT,
    EMPTY,
    FLAG,
    GENERATE,
    INT32,
    OBJECT,
    ONEOFS,
    REAL,
    SCHEMA,
    TEXT,
    TOOLS,
)
from yescale_sandbox.gemini.proto import Enum, Fields, Map, Message, Repeated, Tables

HARMS = (
    *("HATE_SPEECH", "DANGEROUS_CONTENT", "HARASSMENT", "SEXUALLY_EXPLICIT", "CIVIC_INTEGRITY"),
    *("IMAGE_HATE", "IMAGE_DANGEROUS_CONTENT", "IMAGE_HARASSMENT", "IMAGE_SEXUALLY_EXPLICIT", "JAILBREAK"),
)
METHOD = Enum("SafetySetting.HarmBlockMethod", ("HARM_BLOCK_METHOD_UNSPECIFIED", "SEVERITY", "PROBABILITY"))
NAMED_BLOB: Fields = {**CONTENT["Blob"], "displayName": TEXT}
NAMED_FILE: Fields = {**CONTENT["FileData"], "displayName": TEXT}


def _without(fields: Fields, *names: str) -> Fields:
    return {name: kind for name, kind in fields.items() if name not in names}


_CHANGED: Mapping[str, Fields] = {
    "GenerateContentRequest": {
        **_without(GENERATE, "model", "store", "serviceTier"),
        "labels": Map(TEXT),
        "modelArmorConfig": Message("ModelArmorConfig"),
    },
    "ModelArmorConfig": {"promptTemplateName": TEXT, "responseTemplateName": TEXT},
    "CountTokensRequest": {
        "model": TEXT,
        "contents": Repeated(Message("Content")),
        "systemInstruction": Message("Content"),
        "tools": Repeated(Message("Tool")),
        "generationConfig": Message("GenerationConfig"),
        "instances": Repeated(Message("EmbeddingInstance")),
    },
    "PredictRequest": {
        "instances": Repeated(Message("EmbeddingInstance")),
        "parameters": Message("EmbeddingParameters"),
    },
    "EmbeddingInstance": {"content": TEXT, "taskType": TEXT, "title": TEXT, "mimeType": TEXT},
    "EmbeddingParameters": {"autoTruncate": FLAG, "outputDimensionality": INT32},
    "Part": {
        **_without(CONTENT["Part"], "partMetadata"),
        "mediaResolution": Message("PartMediaResolution"),
    },
    "PartMediaResolution": {
        "level": Enum(
            "Part.MediaResolution.Level",
            (
                "MEDIA_RESOLUTION_UNSPECIFIED",
                "MEDIA_RESOLUTION_LOW",
                "MEDIA_RESOLUTION_MEDIUM",
                "MEDIA_RESOLUTION_HIGH",
                "MEDIA_RESOLUTION_ULTRA_HIGH",
            ),
        )
    },
    "Blob": NAMED_BLOB,
    "FileData": NAMED_FILE,
    "FunctionResponse": _without(CONTENT["FunctionResponse"], "willContinue"),
    "FunctionResponsePart": {"inlineData": Message("Blob"), "fileData": Message("FileData")},
    "Schema": {**SCHEMA, "additionalProperties": ANY, "defs": Map(Message("Schema")), "ref": TEXT},
    "Tool": {**TOOLS["Tool"], "enterpriseWebSearch": Message("EnterpriseWebSearch"), "retrieval": OBJECT},
    "EnterpriseWebSearch": {"excludeDomains": Repeated(TEXT)},
    "GoogleSearch": {"excludeDomains": Repeated(TEXT)},
    "ToolConfig": _without(TOOLS["ToolConfig"], "includeServerSideToolInvocations"),
    "FunctionCallingConfig": {**TOOLS["FunctionCallingConfig"], "streamFunctionCallArguments": FLAG},
    "SafetySetting": {
        "category": Enum(CATEGORY.name, ("HARM_CATEGORY_UNSPECIFIED", *(f"HARM_CATEGORY_{name}" for name in HARMS))),
        "threshold": TOOLS["SafetySetting"]["threshold"],
        "method": METHOD,
    },
    "GenerationConfig": {
        **_without(CONFIG["GenerationConfig"], "enableEnhancedCivicAnswers"),
        "topK": REAL,
        "audioTimestamp": FLAG,
        "enableAffectiveDialog": FLAG,
    },
    "UrlContext": EMPTY,
}

TABLES = Tables("google.cloud.aiplatform.v1", {**CONTENT, **TOOLS, **CONFIG, **_CHANGED}, ONEOFS)
