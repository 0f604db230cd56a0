"""A read request as typed values, and what can be read off it: texts, files, counts.

Tokens are counted by one rule: a text has ceil(UTF-8 bytes / 4), an image 258, other files ceil(bytes / 400), and
function calls, responses, `tools` and the answer's schema the text of their compact JSON.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from yescale_sandbox.jsontype import JsonObject
from yescale_sandbox.speech import BYTES_PER_TOKEN, text_tokens

IMAGE_TOKENS = 258
BINARY_BYTES_PER_TOKEN = 400
CACHED_TOKENS = 1_024


class Wire(Struct, frozen=True, rename="camel"):
    """What all of them share: the spelling."""


class Blob(Wire, frozen=True):
    mime_type: str = ""
    data: str = ""


class FileReference(Wire, frozen=True):
    mime_type: str = ""
    file_uri: str = ""


class FunctionCall(Wire, frozen=True):
    name: str = ""
    args: dict[str, Any] | None = None
    id: str = ""


class FunctionResponse(Wire, frozen=True):
    name: str = ""
    response: dict[str, Any] | None = None
    id: str = ""
    parts: list["Part"] = []


class ExecutableCode(Wire, frozen=True):
    language: str = ""
    code: str = ""


class CodeExecutionResult(Wire, frozen=True):
    outcome: str = ""
    output: str = ""


class Part(Wire, frozen=True):
    text: str | None = None
    inline_data: Blob | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    file_data: FileReference | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None
    thought: bool = False
    thought_signature: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is no datum; an empty text is none."""
        known = (self.text or None, self.inline_data, self.function_call, self.function_response, self.file_data)
        return all(one is None for one in (*known, self.executable_code, self.code_execution_result))


class Content(Wire, frozen=True):
    role: str = ""
    parts: list[Part] = []

    @property
    def calls(self) -> list[FunctionCall]:
        return [part.function_call for part in self.parts if part.function_call is not None]

    @property
    def responses(self) -> list[FunctionResponse]:
        return [part.function_response for part in self.parts if part.function_response is not None]

    def text(self) -> str:
        """The texts of the parts, joined by new lines; thoughts are none."""
        return "\n".join(part.text for part in self.parts if part.text is not None and not part.thought)


class FunctionDeclaration(Wire, frozen=True):
    name: str = ""
    parameters: dict[str, Any] | None = None
    parameters_json_schema: Any = None


class Tool(Wire, frozen=True):
    function_declarations: list[FunctionDeclaration] = []
    google_search: dict[str, Any] | None = None
    google_search_retrieval: dict[str, Any] | None = None
    code_execution: dict[str, Any] | None = None
    url_context: dict[str, Any] | None = None
    google_maps: dict[str, Any] | None = None
    enterprise_web_search: dict[str, Any] | None = None


class FunctionCalling(Wire, frozen=True):
    mode: str = "AUTO"
    allowed_function_names: list[str] = []


class ToolConfig(Wire, frozen=True):
    function_calling_config: FunctionCalling | None = None
    include_server_side_tool_invocations: bool = False


class SafetySetting(Wire, frozen=True):
    category: str = "HARM_CATEGORY_UNSPECIFIED"
    threshold: str = "HARM_BLOCK_THRESHOLD_UNSPECIFIED"


class ThinkingConfig(Wire, frozen=True):
    include_thoughts: bool = False
    thinking_budget: int | None = None
    thinking_level: str | None = None


class PrebuiltVoice(Wire, frozen=True):
    voice_name: str = ""


class VoiceConfig(Wire, frozen=True):
    prebuilt_voice_config: PrebuiltVoice | None = None


class Speaker(Wire, frozen=True):
    speaker: str = ""
    voice_config: VoiceConfig | None = None


class Speakers(Wire, frozen=True):
    speaker_voice_configs: list[Speaker] = []


class SpeechConfig(Wire, frozen=True):
    voice_config: VoiceConfig | None = None
    multi_speaker_voice_config: Speakers | None = None

    def voices(self) -> Iterator[str]:
        speakers = self.multi_speaker_voice_config.speaker_voice_configs if self.multi_speaker_voice_config else []
        for voice in (self.voice_config, *(one.voice_config for one in speakers)):
            if voice is not None and voice.prebuilt_voice_config is not None:
                yield voice.prebuilt_voice_config.voice_name


class ImageConfig(Wire, frozen=True):
    aspect_ratio: str | None = None


class GenerationConfig(Wire, frozen=True):
    candidate_count: int | None = None
    stop_sequences: list[str] = []
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool = False
    logprobs: int | None = None
    response_mime_type: str = "text/plain"
    response_schema: dict[str, Any] | None = None
    response_json_schema: Any = None
    response_modalities: list[str] = []
    speech_config: SpeechConfig | None = None
    thinking_config: ThinkingConfig | None = None
    image_config: ImageConfig | None = None


class GenerateRequest(Wire, frozen=True):
    """What the sandbox acts on; the rest was read and is not used."""

    contents: list[Content] = []
    system_instruction: Content | None = None
    tools: list[Tool] = []
    tool_config: ToolConfig | None = None
    safety_settings: list[SafetySetting] = []
    generation_config: GenerationConfig = GenerationConfig()
    cached_content: str | None = None

    def declarations(self) -> list[FunctionDeclaration]:
        return [one for tool in self.tools for one in tool.function_declarations]

    def has(self, tool: str) -> bool:
        """Whether one of Google's own tools is there, by its field name here."""
        return any(getattr(one, tool) is not None for one in self.tools)

    def calling(self) -> FunctionCalling:
        found = self.tool_config.function_calling_config if self.tool_config else None
        return found or FunctionCalling()

    def last_user(self) -> Content:
        """The last content of the user that is no function response; without one, the last."""
        users = [one for one in self.contents if one.role in {"user", ""} and not one.responses]
        return (users or self.contents)[-1]


class Count(Struct, frozen=True):
    """Tokens by modality, in a fixed order."""

    by_modality: tuple[tuple[str, int], ...] = ()

    @property
    def total(self) -> int:
        return sum(tokens for _, tokens in self.by_modality)

    def details(self) -> list[JsonObject]:
        """https://ai.google.dev/api/generate-content#ModalityTokenCount"""
        return [{"modality": modality, "tokenCount": tokens} for modality, tokens in self.by_modality]


def typed(body: JsonObject) -> GenerateRequest:
    return msgspec.convert(body, GenerateRequest)


def prompt_count(request: GenerateRequest, body: JsonObject) -> Count:
    """The count of the whole prompt by the rule above."""
    contents = [*request.contents, *([request.system_instruction] if request.system_instruction else [])]
    counts = [_part_count(part) for content in contents for part in content.parts]
    if body.get("tools"):
        counts.append(("TEXT", json_tokens(body["tools"])))
    config = request.generation_config
    schemas = (config.response_schema, config.response_json_schema)
    counts.extend(("TEXT", json_tokens(schema)) for schema in schemas if schema is not None)
    if request.cached_content is not None:
        counts.append(("TEXT", CACHED_TOKENS))
    return counted(counts)


def counted(counts: Iterable[tuple[str, int]]) -> Count:
    sums: dict[str, int] = {}
    for modality, tokens in counts:
        sums[modality] = sums.get(modality, 0) + tokens
    return Count(tuple((name, sums[name]) for name in ("TEXT", "IMAGE", "AUDIO", "VIDEO", "DOCUMENT") if name in sums))


def json_tokens(value: object) -> int:
    return -(-len(msgspec.json.encode(value)) // BYTES_PER_TOKEN)


def modality_of(mime_type: str) -> str:
    family = mime_type.partition("/")[0].upper()
    if family in {"IMAGE", "AUDIO", "VIDEO"}:
        return family
    return "DOCUMENT" if mime_type == "application/pdf" else "TEXT"


def _part_count(part: Part) -> tuple[str, int]:
    media = part.inline_data or part.file_data
    if media is not None:
        modality = modality_of(media.mime_type)
        size = len(part.inline_data.data) * 3 // 4 if part.inline_data is not None else 0
        return modality, IMAGE_TOKENS if modality == "IMAGE" else -(-size // BINARY_BYTES_PER_TOKEN)
    for value in (part.function_call, part.function_response, part.executable_code, part.code_execution_result):
        if value is not None:
            return "TEXT", json_tokens(value)
    return "TEXT", text_tokens(part.text or "")
