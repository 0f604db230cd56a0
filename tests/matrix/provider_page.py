"""The table of docs/providers.md: lines for rows that it does not have yet, from what they say themselves."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from yescale.providers.provider import Provider
from yescale.providers.registry import PROVIDERS

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"
NAMES = {"openai.chat": "Chat", "openai.responses": "Responses", "anthropic.messages": "Messages"}
OTHERS = {"complete": "completions", "embed": "embeddings", "moderate": "moderations", "count": "counts"}


def write() -> None:
    """Put what is missing behind the last line of the table."""
    lines = PAGE.read_text(encoding="utf-8").splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if line.startswith("| `"))
    known = {line.split("`")[1] for line in lines if line.startswith("| `")}
    lines[last + 1 : last + 1] = [f"{row}\n" for row in rows(one for one in PROVIDERS.values() if one.id not in known)]
    PAGE.write_text("".join(lines), encoding="utf-8")


def rows(providers: Iterable[Provider]) -> Iterator[str]:
    """A line for each."""
    for one in providers:
        spoken = ", ".join(NAMES.get(each.format.id, each.format.id) for each in one.endpoints.get("chat", ()))
        others = ", ".join(OTHERS.get(name, name) for name in sorted(one.endpoints) if name != "chat")
        does = "; ".join(filter(None, (spoken, others)))
        where = f"`{one.base_url}`" if one.base_url else "yours"
        source = f"[API]({one.base_url})" if one.base_url else ""  # which a law then asks for
        yield f"| `{one.id}` | {where} | {does} | shared fake |  | {source} |"


if __name__ == "__main__":
    write()
