"""The targets: what is fuzzed, from which seeds, and where the inputs lie that once found something."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.fuzz import answers, bodies, gemini, messages, requests, responses, small, streams, wires
from tests.fuzz.pieces import Check, Row

FINDINGS = Path(__file__).parent / "findings"


@dataclass(frozen=True, kw_only=True)
class Target:
    """One property of bytes. `words` are pieces of input that chance would hardly make."""

    name: str
    check: Check
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...]

    @property
    def findings(self) -> Path:
        """The folder of inputs that broke the property once; each is replayed by every run of the tests."""
        return FINDINGS / self.name

    def found(self) -> Iterator[bytes]:
        """Those inputs."""
        return (path.read_bytes() for path in sorted(self.findings.glob("*")))


def _rows() -> Iterator[Row]:
    for module in (requests, answers, streams, responses, bodies, gemini):
        yield module.__name__.rpartition(".")[2], module.check, module.SEEDS, module.WORDS
    yield "message_bodies", messages.check_body, messages.BODY_SEEDS, messages.BODY_WORDS
    yield "message_streams", messages.check_stream, messages.STREAM_SEEDS, messages.STREAM_WORDS
    yield from wires.rows()
    yield from small.rows()


TARGETS: Mapping[str, Target] = MappingProxyType(
    {name: Target(name=name, check=check, seeds=seeds, words=words) for name, check, seeds, words in _rows()}
)
