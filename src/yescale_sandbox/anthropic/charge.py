"""What an answer costs in tokens: of the prompt, of the cache, of the words."""

from yescale_sandbox.anthropic import cache, prompt
from yescale_sandbox.anthropic.cache import Memory
from yescale_sandbox.anthropic.prompt import Call
from yescale_sandbox.anthropic.reply import Reply
from yescale_sandbox.exchange import Tokens
from yescale_sandbox.scenario import Script


def charged(call: Call, said: Reply, key: str, script: Script, memory: Memory) -> Tokens:
    """The counts of a call; the cache is used by it."""
    segments = prompt.segments(call.body)
    tokens = sum(segment.tokens for segment in segments)
    cached = cache.use(segments, f"{key}\n{call.model.dated}", call.model.least_cached, memory)
    read = tokens * script.number("cached") // 100 if "cached" in script else cached.read
    written = min(cached.written, tokens - read)
    return Tokens(
        prompt=tokens,
        completion=said.output_tokens,
        cached=read,
        reasoning=said.reasoning_tokens,
        cache_write=written,
        cache_write_1h=min(cached.written_1h, written),
        web_searches=said.searches,
    )
