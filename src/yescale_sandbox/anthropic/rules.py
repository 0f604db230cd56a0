"""Rules of a request that look at more than one field, or at the model.

The words: router-for-me/CLIProxyAPI/issues/413 and workglow-dev/libs/pull/746 (thinking),
anomalyco/opencode/issues/2055 (`max_tokens`), quarkiverse/quarkus-langchain4j/issues/1812 (`top_k`),
anthropics/claude-code/issues/12186 (length).
"""

from collections.abc import Mapping

from yescale_sandbox.anthropic import conversation, prompt, request_shape, schema, shapes
from yescale_sandbox.anthropic.catalogue import LONG_CONTEXT, Model
from yescale_sandbox.anthropic.gate import Terms
from yescale_sandbox.anthropic.prompt import Asked, Call
from yescale_sandbox.anthropic.refusal import RefusedError, shortened
from yescale_sandbox.anthropic.shapes import Field, wrong
from yescale_sandbox.jsontype import Json, JsonObject

MOST_MARKS = 4
SCOPED = "prompt-caching-scope-2026-01-05"
_GUIDE = "Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
_SAMPLING = f"{_GUIDE}#important-considerations-when-using-extended-thinking"


def checked(
    body: JsonObject,
    model: Model,
    terms: Terms,
    *,
    counting: bool = False,
    known: Mapping[str, Field] | None = None,
) -> Call:
    """The request, if Anthropic would take it; `counting` is for the smaller one that only counts tokens.

    `known` are the fields that it may have where another hosts the model.

    Raises: RefusedError.
    """
    shapes.check_fields(known or request_shape.fields(terms, counting=counting), body)
    call = Call(prompt.typed(body), body, model, terms, counting)
    for rule in (_check_output, _check_thinking, _check_sampling, _check_tools, _check_choice, _check_marks):
        rule(call)
    conversation.check(call.asked, call.terms)
    _check_length(call)
    return call


def _check_output(call: Call) -> None:
    asked, model = call.asked, call.model
    if asked.max_tokens > model.most_output:
        raise wrong(
            "max_tokens",
            f"{asked.max_tokens} > {model.most_output}, which is the maximum allowed number of output tokens for "
            f"{model.dated}",
        )
    if asked.output_config is not None and asked.output_config.effort is not None and not model.efforts:
        raise RefusedError("output_config.effort: This model does not support the effort parameter.")
    if asked.format is not None:
        path = "output_format" if asked.output_format else "output_config.format"
        if not model.structured:
            raise wrong(path, f"'{model.dated}' does not support output format.")
        words = schema.strict_fault(asked.format.schema)
        if words is not None:
            raise wrong(f"{path}.schema", words)
        if any(block.cited for message in asked.messages for block in message.blocks() if block.type == "document"):
            raise wrong(path, "Citations cannot be enabled when an output format is specified.")
    for index, stop in enumerate(asked.stop_sequences):
        if not stop.strip():
            raise wrong("stop_sequences", f"each stop sequence must contain non-whitespace (number {index})")


def _check_thinking(call: Call) -> None:
    asked = call.asked
    if asked.thinking is None or asked.thinking.type == "disabled":
        return
    if asked.thinking.type == "adaptive":
        raise RefusedError("thinking.type: adaptive thinking is not supported on this model")
    if not call.model.thinks:
        raise RefusedError(f"thinking: '{call.model.dated}' does not support thinking.")
    interleaved = "interleaved-thinking-2025-05-14" in call.terms.betas
    if not call.counting and not interleaved and asked.max_tokens <= asked.thinking.budget_tokens:
        raise RefusedError(
            f"`max_tokens` must be greater than `thinking.budget_tokens`. {_GUIDE}#max-tokens-and-context-window-size"
        )
    if asked.temperature not in (None, 1):
        raise RefusedError(f"`temperature` may only be set to 1 when thinking is enabled. {_SAMPLING}")
    if asked.top_k is not None:
        raise RefusedError(f"`top_k` must be unset when thinking is enabled. {_SAMPLING}")
    if asked.top_p is not None and asked.top_p < 0.95:
        raise RefusedError(
            f"`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled. {_SAMPLING}"
        )
    if asked.tool_choice is not None and asked.tool_choice.type in ("any", "tool"):
        raise RefusedError("Thinking may not be enabled when tool_choice forces tool use.")


def _check_sampling(call: Call) -> None:
    if call.model.one_sampling and call.asked.temperature is not None and call.asked.top_p is not None:
        raise RefusedError("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")


def _check_tools(call: Call) -> None:
    names: set[str] = set()
    for index, tool in enumerate(call.asked.tools):
        if tool.name in names:
            raise wrong("tools", "Tool names must be unique.")
        names.add(tool.name)
        if tool.input_schema is not None:
            words = schema.fault(tool.input_schema)
            if words is not None:
                raise wrong(f"tools.{index}.custom.input_schema", words)
        if tool.allowed_domains is not None and tool.blocked_domains is not None:
            raise wrong(
                f"tools.{index}.{tool.type}", "only one of `allowed_domains` and `blocked_domains` may be given"
            )


def _check_choice(call: Call) -> None:
    choice = call.asked.tool_choice
    if choice is None:
        return
    if not call.asked.tools and choice.type != "none":
        raise RefusedError("tool_choice: tool_choice may only be specified while providing tools.")
    if choice.type == "tool" and choice.name not in {tool.name for tool in call.asked.tools}:
        raise RefusedError(f"tool_choice: Tool '{shortened(choice.name)}' not found in provided tools")


def _check_marks(call: Call) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/prompt-caching: at most four, the longer-lived first."""
    ttls = [segment.ttl for segment in prompt.segments(call.body) if segment.ttl is not None]
    if len(ttls) > MOST_MARKS:
        raise RefusedError(f"A maximum of {MOST_MARKS} blocks with cache_control may be provided. Found {len(ttls)}.")
    if "5m" in ttls and "1h" in ttls[ttls.index("5m") :]:
        raise RefusedError(
            "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
            "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
        )
    _check_marked_texts(call.asked)
    if SCOPED not in call.terms.betas:
        _check_unscoped(call.body, "")


def _check_marked_texts(asked: Asked) -> None:
    groups = [("system", asked.system_blocks())]
    groups += [(f"messages.{index}.content", message.blocks()) for index, message in enumerate(asked.messages)]
    for path, blocks in groups:
        for place, block in enumerate(blocks):
            if block.type == "text" and not block.text and block.cache_control is not None:
                raise wrong(f"{path}.{place}.text", "cache_control cannot be set for empty text blocks")


def _check_unscoped(value: Json, path: str) -> None:
    """https://github.com/caozhiyuan/copilot-api/issues/145: the field `scope` of a mark is a beta's."""
    if isinstance(value, list):
        for place, one in enumerate(value):
            _check_unscoped(one, f"{path}{place}.")
    elif isinstance(value, dict):
        mark = value.get("cache_control")
        if isinstance(mark, dict) and "scope" in mark:
            raise wrong(f"{path}cache_control.ephemeral.scope", "Extra inputs are not permitted")
        for name in ("tools", "system", "messages", "content"):
            _check_unscoped(value.get(name), f"{path}{name}.")


def _check_length(call: Call) -> None:
    tokens = prompt.prompt_tokens(call.body)
    long = call.model.stretches and "context-1m-2025-08-07" in call.terms.betas
    most = LONG_CONTEXT if long else call.model.context
    if tokens > most:
        raise RefusedError(f"prompt is too long: {tokens} tokens > {most} maximum")
    if call.model.thinks and tokens + call.asked.max_tokens > most:
        raise RefusedError(
            f"input length and `max_tokens` exceed context limit: {tokens} + {call.asked.max_tokens} > {most}, "
            "decrease input length or `max_tokens` and try again"
        )
