"""The models that the sandbox knows, with what each can do."""

from collections.abc import Mapping

from msgspec import Struct

LOW_TO_HIGH = ("low", "medium", "high")


class ChatModel(Struct, frozen=True):
    """A chat model. `efforts` is empty where the model does not reason; `refused` are fields that it never takes."""

    name: str
    dated: str
    created: int
    context: int
    most_output: int
    efforts: tuple[str, ...] = ()
    refused: frozenset[str] = frozenset()
    sees: bool = True
    structured: bool = True
    verbosities: tuple[str, ...] = ("medium",)

    @property
    def reasons(self) -> bool:
        return bool(self.efforts)


class EmbeddingModel(Struct, frozen=True):
    """An embedding model; `shortens` says that `dimensions` may be asked for."""

    name: str
    dated: str
    created: int
    dimensions: int
    shortens: bool = True


# Which fields reasoning models refuse: github.com/openai/openai-python/issues/2046, /simonw/llm/issues/724 and the
# reasoning guide; `stop` is refused since o4-mini (openapi.json, StopConfiguration).
_REASONING = frozenset(
    {"presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias", "prediction", "top_p"}
)
_O_SERIES = _REASONING | {"parallel_tool_calls"}
_NO_STOP = _REASONING | {"stop"}
_GPT_5_EFFORTS = ("minimal", *LOW_TO_HIGH)

CHAT_MODELS: Mapping[str, ChatModel] = {
    model.name: model
    for model in (
        ChatModel("gpt-4o", "gpt-4o-2024-08-06", 1715367049, 128_000, 16_384),
        ChatModel("gpt-4o-mini", "gpt-4o-mini-2024-07-18", 1721172741, 128_000, 16_384),
        ChatModel("gpt-4.1", "gpt-4.1-2025-04-14", 1744316542, 1_047_576, 32_768),
        ChatModel("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", 1744318173, 1_047_576, 32_768),
        ChatModel("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14", 1744321707, 1_047_576, 32_768),
        ChatModel("gpt-3.5-turbo", "gpt-3.5-turbo-0125", 1677610602, 16_385, 4_096, sees=False, structured=False),
        ChatModel("gpt-4-turbo", "gpt-4-turbo-2024-04-09", 1712361441, 128_000, 4_096, structured=False),
        ChatModel("o1", "o1-2024-12-17", 1734375816, 200_000, 100_000, LOW_TO_HIGH, _O_SERIES),
        ChatModel("o3-mini", "o3-mini-2025-01-31", 1737146383, 200_000, 100_000, LOW_TO_HIGH, _O_SERIES, sees=False),
        ChatModel("o4-mini", "o4-mini-2025-04-16", 1744225351, 200_000, 100_000, LOW_TO_HIGH, _NO_STOP),
        ChatModel(
            "gpt-5", "gpt-5-2025-08-07", 1754425777, 400_000, 128_000, _GPT_5_EFFORTS, _NO_STOP, verbosities=LOW_TO_HIGH
        ),
        ChatModel(
            "gpt-5-mini",
            "gpt-5-mini-2025-08-07",
            1754425928,
            400_000,
            128_000,
            _GPT_5_EFFORTS,
            _NO_STOP,
            verbosities=LOW_TO_HIGH,
        ),
    )
}

EMBEDDING_MODELS: Mapping[str, EmbeddingModel] = {
    model.name: model
    for model in (
        EmbeddingModel("text-embedding-3-small", "text-embedding-3-small", 1705948997, 1536),
        EmbeddingModel("text-embedding-3-large", "text-embedding-3-large", 1705953180, 3072),
        EmbeddingModel("text-embedding-ada-002", "text-embedding-ada-002-v2", 1671217299, 1536, shortens=False),
    )
}

_BY_DATE: Mapping[str, ChatModel] = {model.dated: model for model in CHAT_MODELS.values()}


def chat_model(name: str) -> ChatModel | None:
    """The model of a short or a dated name."""
    return CHAT_MODELS.get(name) or _BY_DATE.get(name)


def created_times() -> Mapping[str, int]:
    """Every name that the models endpoint lists, with its time."""
    chat = {name: model.created for model in CHAT_MODELS.values() for name in (model.name, model.dated)}
    return chat | {model.name: model.created for model in EMBEDDING_MODELS.values()}
