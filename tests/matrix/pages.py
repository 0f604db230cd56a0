"""Writes the tables of docs/compatibility.md between their markers, from what the last full run saw, and into
docs/providers.md what its table lacks.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path

from tests.matrix import provider_page
from tests.matrix.capabilities import CAPABILITIES
from tests.matrix.clients import CLIENTS, NODE, Kind
from tests.matrix.figures import Result, seen
from tests.matrix.rich import losses, refused
from tests.matrix.upstreams import UPSTREAMS

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
FORMATS = {
    "chat": "OpenAI chat completions",
    "responses": "OpenAI Responses",
    "messages": "Anthropic Messages",
    "generate": "Gemini generateContent",
}


def write() -> None:
    """Renew all tables."""
    provider_page.write()
    page = PAGE.read_text(encoding="utf-8")
    page = _between(page, "clients", _clients(list(seen())))
    page = _between(page, "formats", _pairs())
    PAGE.write_text(page, encoding="utf-8")


def _between(page: str, name: str, lines: Iterator[str]) -> str:
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    text = "\n".join(lines)
    return f"{before}{begin}\n{text}\n{end}{after}"


def _clients(results: Sequence[Result]) -> Iterator[str]:
    yield from _row("client", "upstream", *CAPABILITIES)
    yield from _row(*["---"] * (len(CAPABILITIES) + 2))
    for kind in (*CLIENTS, *NODE):
        for upstream in UPSTREAMS:
            cells = [_cell(kind, upstream, capability, results) for capability in CAPABILITIES]
            yield from _row(kind.name, FORMATS[upstream], *cells)
    forgetful = ", ".join(kind.name for kind in (*CLIENTS, *NODE) if not kind.keeps_thoughts)
    yield ""
    yield f"*thinking* is tried without a tool where a client does not give a model its thoughts back: {forgetful}."


def _cell(kind: Kind, upstream: str, capability: str, results: Sequence[Result]) -> str:
    place = (kind.name, upstream, capability)
    found = [one for one in results if (one.client, one.upstream, one.capability) == place]
    if len(found) != 2:
        return "fails"
    lost = sorted({name for one in found for name in one.lost})
    return "works; loses " + ", ".join(f"`{name}`" for name in lost) if lost else "works"


def _pairs() -> Iterator[str]:
    for client, upstream in permutations(FORMATS, 2):
        yield f"### {FORMATS[client]} to {FORMATS[upstream]}"
        yield ""
        yield from _row("what", "weight", "why")
        yield from _row("---", "---", "---")
        told = {(f"`{loss.what}`", loss.weight, loss.why) for loss in losses(client, upstream)}
        told |= {(f"{name} (`{loss.what}`)", loss.weight, loss.why) for name, loss in refused(client, upstream)}
        for line in sorted(told, key=lambda line: (["content", "setting", "hint"].index(line[1]), line[0])):
            yield from _row(*line)
        yield ""


def _row(*cells: str) -> Iterator[str]:
    yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    write()
