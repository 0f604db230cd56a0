"""Google's own Python client against the fake Gemini API."""

import io
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

FLASH = "gemini-2.5-flash"


class City(BaseModel):
    name: str
    people: int


def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sunny in {city[:7]}"


def test_an_answer_and_its_usage(genai_sdk: genai.Client, marker: str) -> None:
    config = types.GenerateContentConfig(system_instruction="Be kind", temperature=0.5, seed=3, max_output_tokens=500)
    answer = genai_sdk.models.generate_content(model=FLASH, contents=marker, config=config)
    assert (answer.text or "").startswith(f"You said: {marker}")
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.thoughts_token_count == 64
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP


def test_a_stream(genai_sdk: genai.Client, marker: str) -> None:
    chunks = list(genai_sdk.models.generate_content_stream(model=FLASH, contents=marker))
    whole = genai_sdk.models.generate_content(model=FLASH, contents=marker)
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert chunks[-1].usage_metadata == whole.usage_metadata


def test_thoughts(genai_sdk: genai.Client, marker: str) -> None:
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
    answer = genai_sdk.models.generate_content(model=FLASH, contents=marker, config=config)
    assert [bool(part.thought) for part in answer.parts or []] == [True, False]


@pytest.mark.parametrize("model", [FLASH, "gemini-3-pro-preview"])
def test_a_chat_calls_a_function_and_reads_its_answer(genai_sdk: genai.Client, model: str) -> None:
    config = types.GenerateContentConfig(tools=[weather])
    chat = genai_sdk.chats.create(model=model, config=config)
    answer = chat.send_message("weather in Hanoi")
    assert (answer.text or "").startswith('The tool weather answered: {"result":"sunny in weather"}')
    parts = [part for content in chat.get_history() for part in content.parts or []]
    assert [bool(part.thought_signature) for part in parts if part.function_call] == [True]


def test_structured_output(genai_sdk: genai.Client, marker: str) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=City)
    answer = genai_sdk.models.generate_content(model=FLASH, contents=marker, config=config)
    assert answer.parsed == City(name=marker, people=1)
    other = types.GenerateContentConfig(
        response_mime_type="application/json", response_json_schema=City.model_json_schema()
    )
    made = genai_sdk.models.generate_content(model=FLASH, contents=marker, config=other)
    assert City.model_validate_json(made.text or "").name == marker


def test_google_search_and_code(genai_sdk: genai.Client, marker: str) -> None:
    search = types.GenerateContentConfig(tools=[types.Tool(google_search=types.GoogleSearch())])
    found: Any = genai_sdk.models.generate_content(model=FLASH, contents=marker, config=search)
    assert found.candidates[0].grounding_metadata.grounding_chunks[0].web.title == "example.com"
    code = types.GenerateContentConfig(tools=[types.Tool(code_execution=types.ToolCodeExecution())])
    ran = genai_sdk.models.generate_content(model=FLASH, contents=marker, config=code)
    assert ran.code_execution_result == f"{len(marker)}\n"


def test_pictures_in_and_out(genai_sdk: genai.Client, marker: str) -> None:
    model = "gemini-2.0-flash-exp-image-generation"
    config = types.GenerateContentConfig(response_modalities=["TEXT", "IMAGE"])
    answer = genai_sdk.models.generate_content(model=model, contents=marker, config=config)
    blob = next(part.inline_data for part in answer.parts or [] if part.inline_data)
    assert (blob.mime_type, (blob.data or b"")[:4]) == ("image/png", b"\x89PNG")
    image = types.Part.from_bytes(data=blob.data or b"", mime_type="image/png")
    seen = genai_sdk.models.generate_content(model=FLASH, contents=[marker, image])
    assert "I see 1 image: image/png." in (seen.text or "")


def test_speech(genai_sdk: genai.Client, marker: str) -> None:
    voice = types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Puck"))
    config = types.GenerateContentConfig(
        response_modalities=["AUDIO"], speech_config=types.SpeechConfig(voice_config=voice)
    )
    answer = genai_sdk.models.generate_content(model="gemini-2.5-flash-preview-tts", contents=marker, config=config)
    blob: Any = (answer.parts or [])[0].inline_data
    assert blob.mime_type == "audio/L16;codec=pcm;rate=24000"
    assert len(io.BytesIO(blob.data).getvalue()) > 20_000


def test_embeddings_and_counts(genai_sdk: genai.Client, marker: str) -> None:
    config = types.EmbedContentConfig(task_type="SEMANTIC_SIMILARITY", output_dimensionality=16)
    made = genai_sdk.models.embed_content(model="gemini-embedding-001", contents=[marker, "x"], config=config)
    assert [len(row.values or []) for row in made.embeddings or []] == [16, 16]
    assert genai_sdk.models.count_tokens(model=FLASH, contents="x" * 40).total_tokens == 10
    assert FLASH in {(model.name or "").removeprefix("models/") for model in genai_sdk.models.list()}


@pytest.mark.parametrize(("name", "code"), [("429", 429), ("503", 503), ("401", 400)])
def test_errors_are_googles(genai_sdk: genai.Client, name: str, code: int) -> None:
    with pytest.raises(errors.APIError) as caught:
        genai_sdk.models.generate_content(model=f"{FLASH}+{name}", contents="x")
    assert caught.value.code == code


def test_an_error_in_a_stream_is_raised(genai_sdk: genai.Client) -> None:
    with pytest.raises(errors.ServerError):
        list(genai_sdk.models.generate_content_stream(model=f"{FLASH}+error-1", contents="x"))
