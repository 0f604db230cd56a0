"""The models that the sandbox knows, with what each can do: https://ai.google.dev/gemini-api/docs/models."""

from collections.abc import Mapping

from msgspec import Struct

GENERATES = ("generateContent", "streamGenerateContent", "countTokens")
EMBEDS = ("embedContent", "batchEmbedContents", "countTokens")


class Thinking(Struct, frozen=True):
    """The budget that may be asked for, whether thinking may be off, and what is thought if nothing is said.

    https://ai.google.dev/gemini-api/docs/thinking
    """

    least: int
    most: int
    can_stop: bool
    usual: int


class Model(Struct, frozen=True, kw_only=True):
    """A model that generates. `speaks` lists the sets of modalities that it answers in, the usual one first."""

    name: str
    title: str
    context: int = 1_048_576
    most_output: int = 65_536
    speaks: tuple[frozenset[str], ...] = (frozenset({"TEXT"}),)
    thinking: Thinking | None = None
    plain: bool = False  # takes no tools, no system instruction, no JSON mode, one candidate
    seals: bool = False  # Gemini 3: signatures are demanded, levels instead of budgets, tools may be mixed

    @property
    def usual(self) -> frozenset[str]:
        return self.speaks[0]


class EmbeddingModel(Struct, frozen=True):
    """A model that embeds, with the most dimensions and the most tokens of one text."""

    name: str
    title: str
    dimensions: int
    most_tokens: int = 2_048


_WITH_IMAGE = (frozenset({"TEXT", "IMAGE"}),)
_IMAGE = (frozenset({"TEXT", "IMAGE"}), frozenset({"IMAGE"}))
_AUDIO = (frozenset({"AUDIO"}),)
_FLASH = Thinking(0, 24_576, can_stop=True, usual=64)
_LITE = Thinking(512, 24_576, can_stop=True, usual=0)
_PRO = Thinking(128, 32_768, can_stop=False, usual=64)

MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model(name="gemini-2.5-flash", title="Gemini 2.5 Flash", thinking=_FLASH),
        Model(name="gemini-2.5-pro", title="Gemini 2.5 Pro", thinking=_PRO),
        Model(name="gemini-2.5-flash-lite", title="Gemini 2.5 Flash-Lite", thinking=_LITE),
        Model(name="gemini-2.0-flash", title="Gemini 2.0 Flash", most_output=8_192),
        Model(
            name="gemini-2.0-flash-exp-image-generation",
            title="Gemini 2.0 Flash (Image Generation) Experimental",
            most_output=8_192,
            speaks=_WITH_IMAGE,
            plain=True,
        ),
        Model(
            name="gemini-2.5-flash-image",
            title="Nano Banana",
            context=32_768,
            most_output=32_768,
            speaks=_IMAGE,
            plain=True,
        ),
        Model(
            name="gemini-2.5-flash-image-preview",
            title="Nano Banana",
            context=32_768,
            most_output=32_768,
            speaks=_IMAGE,
            plain=True,
        ),
        Model(
            name="gemini-2.5-flash-preview-tts",
            title="Gemini 2.5 Flash Preview TTS",
            context=8_192,
            most_output=16_384,
            speaks=_AUDIO,
            plain=True,
        ),
        Model(name="gemini-3-pro-preview", title="Gemini 3 Pro Preview", thinking=_PRO, seals=True),
    )
}

EMBEDDING_MODELS: Mapping[str, EmbeddingModel] = {
    model.name: model
    for model in (
        EmbeddingModel("gemini-embedding-001", "Gemini Embedding 001", 3_072),
        EmbeddingModel("text-embedding-004", "Text Embedding 004", 768),
    )
}

# https://ai.google.dev/gemini-api/docs/speech-generation#voices
VOICES = frozenset(
    {
        *("achernar", "achird", "algenib", "algieba", "alnilam", "aoede", "autonoe", "callirrhoe"),
        *("charon", "despina", "enceladus", "erinome", "fenrir", "gacrux", "iapetus", "kore"),
        *("laomedeia", "leda", "orus", "puck", "pulcherrima", "rasalgethi", "sadachbia", "sadaltager"),
        *("schedar", "sulafat", "umbriel", "vindemiatrix", "zephyr", "zubenelgenubi"),
    }
)

# https://ai.google.dev/gemini-api/docs/image-generation#aspect_ratios: width and height of what is drawn.
RATIOS: Mapping[str, tuple[int, int]] = {
    "1:1": (1024, 1024),
    "2:3": (832, 1248),
    "3:2": (1248, 832),
    "3:4": (864, 1184),
    "4:3": (1184, 864),
    "4:5": (896, 1152),
    "5:4": (1152, 896),
    "9:16": (768, 1344),
    "16:9": (1344, 768),
    "21:9": (1536, 672),
}
