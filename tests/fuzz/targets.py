"""The targets: what is fuzzed, from which seeds, and where the inputs lie that once found something."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.fuzz import answers, bodies, gemini, messages, requests, responses, streams
from tests.fuzz.pieces import Check

FINDINGS = Path(__file__).parent / "findings"


@dataclass(frozen=True, kw_only=True)
class Target:
    """One property of bytes. `words` are pieces of input that chance would hardly make."""

    name: str
    check: Check
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...]
    modules: tuple[str, ...]  # whose branches the fuzzer follows

    @property
    def findings(self) -> Path:
        """The folder of inputs that broke the property once; each is replayed by every run of the tests."""
        return FINDINGS / self.name

    def found(self) -> Iterator[bytes]:
        """Those inputs."""
        return (path.read_bytes() for path in sorted(self.findings.glob("*")))


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for target in (
            Target(
                name="requests",
                check=requests.check,
                seeds=requests.SEEDS,
                words=requests.WORDS,
                modules=(
                    "yescale.wire.reader",
                    "yescale.wire.connection",
                    "yescale.wire.heads",
                    "yescale.wire.exchange",
                ),
            ),
            Target(
                name="answers",
                check=answers.check,
                seeds=answers.SEEDS,
                words=answers.WORDS,
                modules=("yescale.wire.upstream", "yescale.wire.attempt"),
            ),
            Target(
                name="streams",
                check=streams.check,
                seeds=streams.SEEDS,
                words=streams.WORDS,
                modules=("yescale.protocols",),
            ),
            Target(
                name="responses",
                check=responses.check,
                seeds=responses.SEEDS,
                words=responses.WORDS,
                modules=("yescale.protocols.openai_responses",),
            ),
            Target(
                name="bodies",
                check=bodies.check,
                seeds=bodies.SEEDS,
                words=bodies.WORDS,
                modules=("yescale.protocols",),
            ),
            Target(
                name="gemini",
                check=gemini.check,
                seeds=gemini.SEEDS,
                words=gemini.WORDS,
                modules=("yescale.protocols",),
            ),
            Target(
                name="message_bodies",
                check=messages.check_body,
                seeds=messages.BODY_SEEDS,
                words=messages.BODY_WORDS,
                modules=("yescale.protocols.anthropic_messages",),
            ),
            Target(
                name="message_streams",
                check=messages.check_stream,
                seeds=messages.STREAM_SEEDS,
                words=messages.STREAM_WORDS,
                modules=("yescale.protocols.anthropic_messages",),
            ),
        )
    }
)
