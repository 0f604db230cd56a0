"""Full valid requests: every field of the messages stands in one of them."""

import base64
from typing import Any

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n rest").decode()
USER = {"role": "user", "parts": [{"text": "weather"}]}
OPTION = {"type": "STRING", "enum": ["a", "b"], "format": "enum"}
SCHEMA: dict[str, Any] = {
    "type": "OBJECT",
    "title": "Place",
    "description": "Where",
    "nullable": True,
    "properties": {
        "city": {"type": "STRING", "minLength": "1", "maxLength": "9", "pattern": "a", "example": "x", "default": "y"},
        "kinds": {"type": "ARRAY", "items": OPTION, "minItems": "1", "maxItems": "2"},
        "size": {"anyOf": [{"type": "NUMBER", "minimum": 0, "maximum": 9}, {"type": "NULL"}]},
    },
    "required": ["city"],
    "propertyOrdering": ["city", "kinds"],
    "minProperties": "1",
    "maxProperties": "3",
}
DECLARATION: dict[str, Any] = {
    "name": "weather",
    "description": "Tells the weather",
    "behavior": "BLOCKING",
    "parameters": SCHEMA,
    "response": SCHEMA,
}
CONVERSATION: list[dict[str, Any]] = [
    {
        "role": "user",
        "parts": [
            {"text": "look"},
            {"inlineData": {"mimeType": "image/png", "data": PNG}},
            {
                "fileData": {"mimeType": "video/mp4", "fileUri": "https://a.example/x"},
                "videoMetadata": {"startOffset": "1s", "endOffset": "2s", "fps": 1.5},
                "partMetadata": {"a": 1},
            },
        ],
    },
    {
        "role": "model",
        "parts": [
            {"text": "I think", "thought": True},
            {"executableCode": {"language": "PYTHON", "code": "print(1)", "id": "1"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1", "id": "1"}},
            {
                "functionCall": {"id": "1", "name": "weather", "args": {}},
                "thoughtSignature": "context_engineering_is_the_way_to_go",
            },
        ],
    },
    {
        "role": "function",
        "parts": [
            {
                "functionResponse": {
                    "id": "1",
                    "name": "weather",
                    "response": {},
                    "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}],
                    "willContinue": False,
                    "scheduling": "SILENT",
                }
            }
        ],
    },
]
SAMPLING: dict[str, Any] = {
    "candidateCount": 1,
    "stopSequences": ["x"],
    "maxOutputTokens": 100,
    "temperature": 1.5,
    "topP": 0.5,
    "topK": 3,
    "seed": 7,
    "presencePenalty": 0.5,
    "frequencyPenalty": 0.5,
    "mediaResolution": "MEDIA_RESOLUTION_LOW",
    "enableEnhancedCivicAnswers": True,
    "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 1024},
}
VOICE = {"prebuiltVoiceConfig": {"voiceName": "Kore"}}

# Model and method, and the body.
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "gemini-2.5-flash",
        "generateContent",
        {
            "model": "models/gemini-2.5-flash",
            "contents": CONVERSATION,
            "systemInstruction": {"role": "user", "parts": [{"text": "Be kind"}]},
            "tools": [{"functionDeclarations": [DECLARATION]}],
            "toolConfig": {
                "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]},
                "retrievalConfig": {"latLng": {"latitude": 1.5, "longitude": 2.5}, "languageCode": "en"},
                "includeServerSideToolInvocations": False,
            },
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
            "generationConfig": SAMPLING,
            "store": False,
            "serviceTier": "standard",
        },
    ),
    (
        "gemini-2.5-flash",
        "generateContent",
        {
            "contents": [USER],
            "tools": [
                {
                    "googleSearch": {
                        "timeRangeFilter": {"startTime": "2025-01-01T00:00:00Z", "endTime": "2025-02-01T00:00:00Z"}
                    }
                },
                {
                    "googleSearchRetrieval": {
                        "dynamicRetrievalConfig": {"mode": "MODE_DYNAMIC", "dynamicThreshold": 0.5}
                    }
                },
                {"codeExecution": {}},
                {"urlContext": {}},
            ],
            "cachedContent": None,
        },
    ),
    (
        "gemini-2.5-flash",
        "generateContent",
        {
            "contents": [USER],
            "cachedContent": "cachedContents/sandbox-1",
            "generationConfig": {"responseMimeType": "application/json", "responseSchema": SCHEMA},
        },
    ),
    (
        "gemini-3-pro-preview",
        "generateContent",
        {
            "contents": [USER],
            "tools": [{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": {"type": "object"}}]}],
            "generationConfig": {
                "responseMimeType": "application/json",
                "responseJsonSchema": {"type": "object"},
                "thinkingConfig": {"thinkingLevel": "LOW"},
            },
        },
    ),
    (
        "gemini-2.5-flash-preview-tts",
        "generateContent",
        {
            "contents": [USER],
            "generationConfig": {
                "responseModalities": ["AUDIO"],
                "speechConfig": {
                    "voiceConfig": VOICE,
                    "languageCode": "en-US",
                    "multiSpeakerVoiceConfig": {"speakerVoiceConfigs": [{"speaker": "Joe", "voiceConfig": VOICE}]},
                },
            },
        },
    ),
    (
        "gemini-2.5-flash-image",
        "generateContent",
        {
            "contents": [USER],
            "generationConfig": {
                "responseModalities": ["IMAGE"],
                "imageConfig": {"aspectRatio": "1:1", "imageSize": "1K"},
            },
        },
    ),
    (
        "gemini-2.0-flash",
        "generateContent",
        {"contents": [USER], "generationConfig": {"responseLogprobs": True, "logprobs": 2}},
    ),
    (
        "gemini-2.5-flash",
        "countTokens",
        {"generateContentRequest": {"model": "models/gemini-2.5-flash", "contents": [USER]}},
    ),
    (
        "text-embedding-004",
        "batchEmbedContents",
        {
            "requests": [
                {
                    "model": "models/text-embedding-004",
                    "content": {"parts": [{"text": "x"}]},
                    "taskType": "RETRIEVAL_DOCUMENT",
                    "title": "t",
                    "outputDimensionality": 8,
                }
            ]
        },
    ),
]
