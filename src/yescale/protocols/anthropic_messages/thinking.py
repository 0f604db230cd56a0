"""How much the model thinks: budgets, efforts and what goes with them, both directions.

Sources: https://platform.claude.com/docs/en/build-with-claude/extended-thinking (1,024 tokens at least, less than
`max_tokens`, with neither a temperature nor a forced tool), .../adaptive-thinking and .../effort.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

from msgspec.structs import replace

from yescale.domain.chat import ChatRequest, Message, Reasoning
from yescale.domain.content import Thinking, ToolResult
from yescale.domain.profile import Profile
from yescale.protocols.anthropic_messages.prompting import Block, BlockWriter, is_sealed
from yescale.protocols.anthropic_messages.schema import WireOutput, WireThinkingWish

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

LEAST_BUDGET: Final = 1_024
_LEAST_WITH_SUFFIX: Final = 1_280  # of which four fifths are a budget
_DEFAULT_LIMIT: Final = 4_096  # of output, where neither the client nor the catalogue says one
_MODEL_DECIDES: Final = -1
_SHOWN: Final[Mapping[str, bool]] = MappingProxyType({"summarized": True, "omitted": False})

_BUDGETS: Final[Mapping[Effort, int]] = MappingProxyType(
    {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 24_576, "max": 32_000}
)
_EFFORTS: Final[Mapping[Effort, str]] = MappingProxyType(
    {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
)


def read_thinking(thinking: WireThinkingWish | None, output: WireOutput | None) -> Reasoning | None:
    """What a request says about thinking, in `thinking` and in `output_config`."""
    effort = output.effort if output is not None else None
    if thinking is None or thinking.type == "between_tools":
        return None if effort is None else Reasoning(effort=effort)
    shown = _SHOWN.get(thinking.display or "")
    if thinking.type == "disabled":
        return Reasoning(enabled=False, effort=effort)
    budget = _MODEL_DECIDES if thinking.type == "adaptive" else thinking.budget_tokens
    return Reasoning(enabled=True, effort=effort, budget=budget, shown=shown)


def says_it_all(thinking: WireThinkingWish) -> bool:
    """Whether what `read_thinking` makes of it is all that its fields which we know say."""
    return thinking.type != "between_tools" and (thinking.display is None or thinking.display in _SHOWN)


def with_thinking(request: ChatRequest) -> ChatRequest:
    """The request as the suffix `-thinking` of a model's name asks for it: four fifths of its output may be thoughts.

    What the request itself says of thinking stands.
    """
    if request.reasoning is not None and request.reasoning.enabled is not None:
        return request
    limit = max(request.max_tokens or _DEFAULT_LIMIT, _LEAST_WITH_SUFFIX)
    shown = request.reasoning.shown if request.reasoning is not None else None
    return replace(
        request,
        max_tokens=limit,
        reasoning=Reasoning(enabled=True, budget=limit * 4 // 5, shown=shown),
        sampling=replace(request.sampling, temperature=1.0, top_p=None, top_k=None),
    )


def limit_of(request: ChatRequest, profile: Profile) -> int:
    """The output limit, which Anthropic wants said."""
    if request.max_tokens is not None:
        return request.max_tokens
    return profile.max_output or _DEFAULT_LIMIT


def write_thinking(request: ChatRequest, profile: Profile, writer: BlockWriter) -> tuple[Block | None, str | None]:
    """`thinking` and the effort of `output_config`, as the model takes them."""
    wish = request.reasoning
    if wish is None or (wish.enabled is None and wish.effort is None and wish.budget is None):
        if wish is not None:
            writer.lose("reasoning.shown", "no thinking was asked for", "hint")
        return None, None
    if wish.enabled is False or wish.effort == "none":
        return _off(wish, profile)
    if profile.thinks == "no":
        writer.lose("reasoning", "the model does not think", "setting")
        return None, None
    if _forced(request) and (wish.enabled or profile.thinks != "effort"):
        writer.lose("reasoning", "a tool that must be called leaves no room for thinking", "setting")
        return None, None
    thinking, effort = _on(wish, request, profile, writer)
    if thinking is not None and wish.shown is not None:
        thinking["display"] = "summarized" if wish.shown else "omitted"
    elif wish.shown is not None:
        writer.lose("reasoning.shown", "no thinking was asked for by itself", "hint")
    return thinking, effort


def _forced(request: ChatRequest) -> bool:
    choice = request.tool_choice
    return choice is not None and choice.mode in {"required", "named"} and bool(request.tools)


def _off(wish: Reasoning, profile: Profile) -> tuple[Block | None, str | None]:
    effort = None if wish.effort is None else _EFFORTS.get(wish.effort)
    if profile.thinks == "no":
        return None, None
    return {"type": "disabled"}, effort if profile.thinks != "budget" else None


def _on(
    wish: Reasoning, request: ChatRequest, profile: Profile, writer: BlockWriter
) -> tuple[Block | None, str | None]:
    effort = None if wish.effort is None else _EFFORTS.get(wish.effort)
    if wish.effort == "minimal" and profile.thinks != "budget":
        writer.lose("reasoning.effort", "Anthropic's least effort is 'low'", "hint")
    if profile.thinks == "budget":
        return _budget(wish, request, profile, writer), None
    if profile.thinks == "adaptive":
        if wish.budget is not None and wish.budget != _MODEL_DECIDES:
            writer.lose("reasoning.budget", "the model takes an effort instead of a budget", "setting")
            effort = effort or _effort_near(wish.budget)
        return {"type": "adaptive"}, effort
    if wish.budget is None or wish.budget == _MODEL_DECIDES:  # said as it came: nothing is known of the model
        return ({"type": "adaptive"} if wish.enabled else None), effort
    return _budget(wish, request, profile, writer), effort


def _budget(wish: Reasoning, request: ChatRequest, profile: Profile, writer: BlockWriter) -> Block | None:
    if _answers_unsealed(request.messages):
        writer.lose("reasoning", "the call that is answered was made without thoughts that Anthropic sealed", "setting")
        return None
    limit = limit_of(request, profile)
    wanted = wish.budget
    if wanted is None or wanted == _MODEL_DECIDES:
        wanted = _BUDGETS[wish.effort or "medium"]
        writer.lose("reasoning.effort", "the model takes a budget, of about this effort", "hint")
    budget = max(wanted, LEAST_BUDGET)
    if budget >= limit:
        budget = limit * 4 // 5
    if budget < LEAST_BUDGET:
        writer.lose("reasoning", f"{limit} tokens of output leave no room for thinking", "setting")
        return None
    if wish.budget not in (None, _MODEL_DECIDES, budget):
        writer.lose("reasoning.budget", f"it must be at least {LEAST_BUDGET} and less than the limit", "setting")
    return {"type": "enabled", "budget_tokens": budget}


def _answers_unsealed(messages: Sequence[Message]) -> bool:
    """Whether the turn that tools are answering began without a thought, as another model's does: with a budget
    Anthropic refuses that (.../extended-thinking, "Extended thinking with tool use").
    """
    turn: Message | None = None
    answered = False
    for message in reversed(messages):
        if message.role != "assistant":  # these become one turn
            answered = answered or any(isinstance(part, ToolResult) for part in message.parts)
        elif answered:
            turn, answered = message, False
        else:
            break
    if turn is None:
        return False
    first = next((part for part in turn.parts if not (isinstance(part, Thinking) and not is_sealed(part))), None)
    return not isinstance(first, Thinking)


def _effort_near(budget: int) -> str:
    """The effort whose budget comes next at or above this one."""
    for effort in ("low", "medium", "high", "xhigh"):
        if budget <= _BUDGETS[effort]:
            return effort
    return "max"
