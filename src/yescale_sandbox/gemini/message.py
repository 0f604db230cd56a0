"""The messages of v1beta: https://ai.google.dev/api/generate-content, /caching, /embeddings and /tokens."""

from collections.abc import Mapping

from yescale_sandbox.gemini.proto import Enum, Fields, Free, Map, Message, Repeated, Scalar, Tables

TEXT = Scalar("TYPE_STRING")
FLAG = Scalar("TYPE_BOOL")
REAL = Scalar("TYPE_FLOAT")
DOUBLE = Scalar("TYPE_DOUBLE")
INT32 = Scalar("TYPE_INT32")
INT64 = Scalar("TYPE_INT64")
BYTES = Scalar("TYPE_BYTES")
OBJECT = Free(object=True)
ANY = Free()

TYPE = Enum("Type", ("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"))
LANGUAGE = Enum("ExecutableCode.Language", ("LANGUAGE_UNSPECIFIED", "PYTHON"))
OUTCOME = Enum(
    "CodeExecutionResult.Outcome", ("OUTCOME_UNSPECIFIED", "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED")
)
MODALITY = Enum("GenerationConfig.Modality", ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO", "VIDEO"))
MODE = Enum("FunctionCallingConfig.Mode", ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"))
RESOLUTION = Enum(
    "GenerationConfig.MediaResolution",
    ("MEDIA_RESOLUTION_UNSPECIFIED", "MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH"),
)
LEVEL = Enum("ThinkingConfig.ThinkingLevel", ("THINKING_LEVEL_UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "MINIMAL"))
SCHEDULING = Enum("FunctionResponse.Scheduling", ("SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"))
BEHAVIOR = Enum("FunctionDeclaration.Behavior", ("UNSPECIFIED", "BLOCKING", "NON_BLOCKING"))
CATEGORY = Enum(
    "HarmCategory",
    (
        "HARM_CATEGORY_UNSPECIFIED",
        "HARM_CATEGORY_DEROGATORY",
        "HARM_CATEGORY_TOXICITY",
        "HARM_CATEGORY_VIOLENCE",
        "HARM_CATEGORY_SEXUAL",
        "HARM_CATEGORY_MEDICAL",
        "HARM_CATEGORY_DANGEROUS",
        "HARM_CATEGORY_HARASSMENT",
        "HARM_CATEGORY_HATE_SPEECH",
        "HARM_CATEGORY_SEXUALLY_EXPLICIT",
        "HARM_CATEGORY_DANGEROUS_CONTENT",
        "HARM_CATEGORY_CIVIC_INTEGRITY",
    ),
)
THRESHOLD = Enum(
    "SafetySetting.HarmBlockThreshold",
    (
        "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
        "BLOCK_LOW_AND_ABOVE",
        "BLOCK_MEDIUM_AND_ABOVE",
        "BLOCK_ONLY_HIGH",
        "BLOCK_NONE",
        "OFF",
    ),
)
TASK = Enum(
    "TaskType",
    (
        "TASK_TYPE_UNSPECIFIED",
        "RETRIEVAL_QUERY",
        "RETRIEVAL_DOCUMENT",
        "SEMANTIC_SIMILARITY",
        "CLASSIFICATION",
        "CLUSTERING",
        "QUESTION_ANSWERING",
        "FACT_VERIFICATION",
        "CODE_RETRIEVAL_QUERY",
    ),
)

# The words are small on the wire, as the google-genai SDK sends them.
TIER = Enum("ServiceTier", ("UNSPECIFIED", "STANDARD", "FLEX", "PRIORITY"))

BLOB: Fields = {"mimeType": TEXT, "data": BYTES}
EMPTY: Fields = {}

SCHEMA: Fields = {
    "type": TYPE,
    "format": TEXT,
    "title": TEXT,
    "description": TEXT,
    "nullable": FLAG,
    "enum": Repeated(TEXT),
    "maxItems": INT64,
    "minItems": INT64,
    "properties": Map(Message("Schema")),
    "required": Repeated(TEXT),
    "minProperties": INT64,
    "maxProperties": INT64,
    "minLength": INT64,
    "maxLength": INT64,
    "pattern": TEXT,
    "example": ANY,
    "anyOf": Repeated(Message("Schema")),
    "propertyOrdering": Repeated(TEXT),
    "default": ANY,
    "items": Message("Schema"),
    "minimum": DOUBLE,
    "maximum": DOUBLE,
}

CONTENT: Mapping[str, Fields] = {
    "Content": {"role": TEXT, "parts": Repeated(Message("Part"))},
    "Part": {
        "text": TEXT,
        "inlineData": Message("Blob"),
        "functionCall": Message("FunctionCall"),
        "functionResponse": Message("FunctionResponse"),
        "fileData": Message("FileData"),
        "executableCode": Message("ExecutableCode"),
        "codeExecutionResult": Message("CodeExecutionResult"),
        "thought": FLAG,
        "thoughtSignature": BYTES,
        "videoMetadata": Message("VideoMetadata"),
        "partMetadata": OBJECT,
    },
    "Blob": BLOB,
    "FunctionCall": {"id": TEXT, "name": TEXT, "args": OBJECT},
    "FunctionResponse": {
        "id": TEXT,
        "name": TEXT,
        "response": OBJECT,
        "parts": Repeated(Message("FunctionResponsePart")),
        "willContinue": FLAG,
        "scheduling": SCHEDULING,
    },
    "FunctionResponsePart": {"inlineData": Message("Blob")},
    "FileData": {"mimeType": TEXT, "fileUri": TEXT},
    "ExecutableCode": {"language": LANGUAGE, "code": TEXT, "id": TEXT},
    "CodeExecutionResult": {"outcome": OUTCOME, "output": TEXT, "id": TEXT},
    "VideoMetadata": {"startOffset": TEXT, "endOffset": TEXT, "fps": DOUBLE},
}

TOOLS: Mapping[str, Fields] = {
    "Schema": SCHEMA,
    "Tool": {
        "functionDeclarations": Repeated(Message("FunctionDeclaration")),
        "googleSearch": Message("GoogleSearch"),
        "googleSearchRetrieval": Message("GoogleSearchRetrieval"),
        "codeExecution": Message("CodeExecution"),
        "urlContext": Message("UrlContext"),
        "googleMaps": Message("GoogleMaps"),
    },
    "FunctionDeclaration": {
        "name": TEXT,
        "description": TEXT,
        "behavior": BEHAVIOR,
        "parameters": Message("Schema"),
        "parametersJsonSchema": ANY,
        "response": Message("Schema"),
        "responseJsonSchema": ANY,
    },
    "GoogleSearch": {"timeRangeFilter": Message("Interval")},
    "Interval": {"startTime": TEXT, "endTime": TEXT},
    "GoogleSearchRetrieval": {"dynamicRetrievalConfig": Message("DynamicRetrievalConfig")},
    "DynamicRetrievalConfig": {
        "mode": Enum("DynamicRetrievalConfig.Mode", ("MODE_UNSPECIFIED", "MODE_DYNAMIC")),
        "dynamicThreshold": REAL,
    },
    "CodeExecution": EMPTY,
    "UrlContext": EMPTY,
    "GoogleMaps": {"enableWidget": FLAG},
    "ToolConfig": {
        "functionCallingConfig": Message("FunctionCallingConfig"),
        "retrievalConfig": Message("RetrievalConfig"),
        "includeServerSideToolInvocations": FLAG,
    },
    "FunctionCallingConfig": {"mode": MODE, "allowedFunctionNames": Repeated(TEXT)},
    "RetrievalConfig": {"latLng": Message("LatLng"), "languageCode": TEXT},
    "LatLng": {"latitude": DOUBLE, "longitude": DOUBLE},
    "SafetySetting": {"category": CATEGORY, "threshold": THRESHOLD},
}

CONFIG: Mapping[str, Fields] = {
    "GenerationConfig": {
        "candidateCount": INT32,
        "stopSequences": Repeated(TEXT),
        "maxOutputTokens": INT32,
        "temperature": REAL,
        "topP": REAL,
        "topK": INT32,
        "seed": INT32,
        "presencePenalty": REAL,
        "frequencyPenalty": REAL,
        "responseLogprobs": FLAG,
        "logprobs": INT32,
        "responseMimeType": TEXT,
        "responseSchema": Message("Schema"),
        "responseJsonSchema": ANY,
        "responseModalities": Repeated(MODALITY),
        "speechConfig": Message("SpeechConfig"),
        "thinkingConfig": Message("ThinkingConfig"),
        "imageConfig": Message("ImageConfig"),
        "mediaResolution": RESOLUTION,
        "enableEnhancedCivicAnswers": FLAG,
    },
    "SpeechConfig": {
        "voiceConfig": Message("VoiceConfig"),
        "multiSpeakerVoiceConfig": Message("MultiSpeakerVoiceConfig"),
        "languageCode": TEXT,
    },
    "VoiceConfig": {"prebuiltVoiceConfig": Message("PrebuiltVoiceConfig")},
    "PrebuiltVoiceConfig": {"voiceName": TEXT},
    "MultiSpeakerVoiceConfig": {"speakerVoiceConfigs": Repeated(Message("SpeakerVoiceConfig"))},
    "SpeakerVoiceConfig": {"speaker": TEXT, "voiceConfig": Message("VoiceConfig")},
    "ThinkingConfig": {"includeThoughts": FLAG, "thinkingBudget": INT32, "thinkingLevel": LEVEL},
    "ImageConfig": {"aspectRatio": TEXT, "imageSize": TEXT},
}

GENERATE: Fields = {
    "model": TEXT,
    "contents": Repeated(Message("Content")),
    "systemInstruction": Message("Content"),
    "tools": Repeated(Message("Tool")),
    "toolConfig": Message("ToolConfig"),
    "safetySettings": Repeated(Message("SafetySetting")),
    "generationConfig": Message("GenerationConfig"),
    "cachedContent": TEXT,
    "store": FLAG,
    "serviceTier": TIER,
}

CALLS: Mapping[str, Fields] = {
    "GenerateContentRequest": GENERATE,
    "CountTokensRequest": {
        "model": TEXT,
        "contents": Repeated(Message("Content")),
        "generateContentRequest": Message("GenerateContentRequest"),
    },
    "EmbedContentRequest": {
        "model": TEXT,
        "content": Message("Content"),
        "taskType": TASK,
        "title": TEXT,
        "outputDimensionality": INT32,
    },
    "BatchEmbedContentsRequest": {"model": TEXT, "requests": Repeated(Message("EmbedContentRequest"))},
}

ONEOFS: Mapping[str, tuple[str, frozenset[str]]] = {
    "Part": (
        "data",
        frozenset(
            {
                "text",
                "inlineData",
                "functionCall",
                "functionResponse",
                "fileData",
                "executableCode",
                "codeExecutionResult",
            }
        ),
    )
}

TABLES = Tables("google.ai.generativelanguage.v1beta", {**CONTENT, **TOOLS, **CONFIG, **CALLS}, ONEOFS)
