"""The four formats that a provider may speak, each as a fake of the sandbox with a channel and a key of its own."""

from dataclasses import dataclass

TALKER, THINKER, FAILING, EMBEDDER = "gpt-4o", "thinker", "gpt-4o-mini", "text-embedding-3-small"
# For clients that refuse a model whose name they do not know: which scenario of the talker a plain name stands for.
BY_NAME = {"gpt-4.1": "+long-2000", "gpt-4-turbo": "+400"}
KNOWN_THINKER = "o3-mini-2025-01-31"  # a model that they know to think


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """One format as an upstream: the provider in our words, and where and as what the sandbox plays it."""

    name: str
    provider: str
    base: str
    secret: str
    talker: str
    thinker: str
    thinker_base: str = ""  # where another fake plays the thinker
    embedder: str = ""  # "" = the format has none
    paths: tuple[str, str]  # how the path ends that a call, and that a stream arrives at

    @property
    def group(self) -> str:
        return f"to-{self.name}"

    def channels(self) -> dict[str, tuple[str, str]]:
        """Its channels by name: where each leads, and what it serves as `channel add --models` takes it."""
        named = {ours: self.talker + suffix for ours, suffix in BY_NAME.items()}
        talks = {TALKER: self.talker, f"{TALKER}+*": f"{self.talker}+*", **named}
        if self.embedder:
            talks[EMBEDDER] = self.embedder
        return {
            self.name: (self.base, served(talks)),
            f"{self.name}-thinking": (
                self.thinker_base or self.base,
                served(dict.fromkeys((THINKER, KNOWN_THINKER), self.thinker)),
            ),
            # What fails often has a channel of its own: its rest disturbs no other test.
            f"{self.name}-failing": (self.base, served({f"{FAILING}+*": f"{self.talker}+*"})),
        }


def served(models: dict[str, str]) -> str:
    """Models as `channel add --models` takes them."""
    return ",".join(f"{ours}={theirs}" for ours, theirs in models.items())


UPSTREAMS = {
    one.name: one
    for one in (
        Upstream(
            name="chat",
            # OpenAI's own channels answer clients of Responses in Responses.
            provider="openai_compatible",
            base="/openai/v1",
            secret="sk-sandbox-matrix-chat",
            talker="gpt-4o",
            thinker="deepseek-reasoner",
            thinker_base="/deepseek",
            embedder="text-embedding-3-small",
            paths=("/chat/completions", "/chat/completions"),
        ),
        Upstream(
            name="responses",
            provider="openai_responses",
            base="/openai/v1",
            secret="sk-sandbox-matrix-responses",
            talker="gpt-4o",
            thinker="gpt-5",
            embedder="text-embedding-3-small",
            paths=("/responses", "/responses"),
        ),
        Upstream(
            name="messages",
            provider="anthropic",
            base="/anthropic",
            secret="sk-ant-sandbox-matrix",
            talker="claude-sonnet-4-5",
            thinker="claude-sonnet-4-5",
            paths=("/v1/messages", "/v1/messages"),
        ),
        Upstream(
            name="generate",
            provider="google",
            base="/gemini/v1beta",
            secret="AIzaSandbox-matrix",
            talker="gemini-2.5-flash",
            thinker="gemini-3-pro-preview",
            embedder="gemini-embedding-001",
            paths=(":generateContent", ":streamGenerateContent"),
        ),
    )
}
