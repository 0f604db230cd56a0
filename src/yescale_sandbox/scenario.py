"""Scenarios: scripted behaviours that a request asks for by suffixes of its model name, as `gpt-4o+slow-50+cut-3`."""

from collections.abc import Mapping

from msgspec import Struct

from yescale_sandbox.jsontype import Json


class Scenario(Struct, frozen=True):
    """One behaviour. With a `most`, `-N` follows its name, N up to it; `bare` lets that be left out."""

    name: str
    meaning: str
    most: int | None = None
    bare: bool = True


class Script(Struct, frozen=True):
    """The scenarios of one request; a number that was not given is None."""

    suffix: str = ""
    chosen: Mapping[str, int | None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.chosen

    def number(self, name: str, default: int = 0) -> int:
        """The number given with a scenario; the default if the scenario or its number was not given."""
        value = self.chosen.get(name)
        return default if value is None else value


class UnknownScenarioError(Exception):
    """A suffix that is not in the table, or a number missing or out of range."""


SCENARIOS = (
    Scenario("slow", "N milliseconds of silence before every chunk but the first", 60_000, bare=False),
    Scenario("delay", "N milliseconds of silence before the first byte", 600_000, bare=False),
    Scenario("stall", "the head and two chunks (or half of the body), then silence"),
    Scenario("stall-head", "silence before the head"),
    Scenario("400", "status 400, the fault of the request"),
    Scenario("401", "status 401, the key is not accepted"),
    Scenario("402", "status 402, the account has no credit"),
    Scenario("403", "status 403, the region is not served"),
    Scenario("404", "status 404, the model is gone"),
    Scenario("429", "status 429, the rate limit is reached, with Retry-After: 1"),
    Scenario(
        "quota", "status 429 (Anthropic: 400), the account's quota is used up: no Retry-After, waiting does not help"
    ),
    Scenario("500", "status 500, a fault of the provider"),
    Scenario("502", "status 502, as the provider's edge answers"),
    Scenario("503", "status 503, the engine is overloaded"),
    Scenario("529", "status 529, overloaded, not in OpenAI's words"),
    Scenario(
        "flaky", "status 500 for the first N calls with the same key, model and messages, then 200", 1_000, bare=False
    ),
    Scenario("redirect", "status 307 to another path of the sandbox, where the record shows who followed"),
    Scenario("echo-secret", "status 400 with the presented key in the message"),
    Scenario(
        "cut",
        "the connection closes after N chunks, unended; without N in the middle of a chunk, or of the body",
        100_000,
    ),
    Scenario("reset", "a TCP reset instead of an answer"),
    Scenario("garbage", "bytes that are not HTTP, then the end of the connection"),
    Scenario("badjson", "status 200, but the JSON is broken (in a stream: that of the second event)"),
    Scenario("html", "status 200 and an HTML page"),
    Scenario("error", "an error event after N chunks, and then the clean end of the stream", 100_000, bare=False),
    Scenario("no-done", "the stream ends cleanly without [DONE]"),
    Scenario("comment", "an SSE comment line before every event"),
    Scenario("usage-0", "the reported usage is zero"),
    Scenario("usage-none", "no usage is reported, also if it was asked for"),
    Scenario("usage-huge", "the reported usage is 10^15 tokens each way"),
    Scenario("usage-each", "every chunk reports the usage up to it, also if that was not asked for"),
    Scenario("usage-finish", "the usage comes in the chunk with the finish reason, not in one of its own"),
    Scenario("cached", "N percent of the prompt are reported as cached", 100, bare=False),
    Scenario("long", "the stream has at least N chunks of content", 100_000, bare=False),
    Scenario("big", "the answer has at least N KiB of text", 65_536, bare=False),
    Scenario("drip", "every chunk carries one character"),
    Scenario("done-only", "all of the text, or of a tool call, comes in one chunk at the end"),
    Scenario("tool-done-only", "each tool call comes whole, in one chunk"),
    Scenario("refuse", "the model refuses: message.refusal instead of content"),
    Scenario("pause", "the answer stops midway for the client to send it back: Anthropic's stop_reason pause_turn"),
    Scenario(
        "failed", "the response ends as failed, with usage: a terminal event of its own, known to Responses alone"
    ),
    Scenario("filter-prompt", "status 400, the prompt is refused by the filter that Azure puts before its models"),
    Scenario("filter", "the answer ends early with finish_reason content_filter"),
    Scenario("blocked", "Gemini: the prompt is blocked: promptFeedback and no candidate"),
    Scenario("recitation", "Gemini: the answer ends early with finishReason RECITATION"),
    Scenario("malformed-call", "Gemini: no part, and finishReason MALFORMED_FUNCTION_CALL"),
    Scenario("empty", "Gemini: no candidate at all, and no reason"),
    Scenario("no-parts", "Gemini: a candidate without a part"),
)


def parse(model: str) -> tuple[str, Script]:
    """Split a model name into the model and its script.

    Raises: UnknownScenarioError.
    """
    base, *suffixes = model.split("+")
    if not suffixes:
        return base, Script()
    chosen = dict(_suffix(suffix) for suffix in suffixes)
    return base, Script("+" + "+".join(suffixes), chosen)


def listing() -> list[Json]:
    """The table as shown to people: name and meaning."""
    return [{"name": _spelling(row), "meaning": row.meaning} for row in SCENARIOS]


_BY_NAME: Mapping[str, Scenario] = {row.name: row for row in SCENARIOS}


def _suffix(text: str) -> tuple[str, int | None]:
    row = _BY_NAME.get(text)
    if row is not None:
        if row.most is not None and not row.bare:
            raise UnknownScenarioError(text)
        return row.name, None
    name, _, digits = text.rpartition("-")
    row = _BY_NAME.get(name)
    if row is None or row.most is None or not (digits.isascii() and digits.isdigit()):
        raise UnknownScenarioError(text)
    number = int(digits[:9])
    if number > row.most:
        raise UnknownScenarioError(text)
    return name, number


def _spelling(row: Scenario) -> str:
    if row.most is None:
        return f"+{row.name}"
    return f"+{row.name}[-N]" if row.bare else f"+{row.name}-N"
