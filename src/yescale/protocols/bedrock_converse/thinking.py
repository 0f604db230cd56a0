"""How much the model thinks: fields of the model's own, which Converse hands on unread.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html (budgets of 1,024
tokens at least, below the limit, with neither a temperature nor a forced tool), and the pages of the other models.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from yescale.domain.chat import ChatRequest, Reasoning
from yescale.domain.profile import Profile
from yescale.protocols.bedrock_converse.prompting import Block, BlockWriter

_LEAST: Final = 1_024
_DEFAULT_LIMIT: Final = 4_096
_MODEL_DECIDES: Final = -1
_BUDGETS: Final[Mapping[str, int]] = MappingProxyType(
    {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 24_576, "max": 32_000}
)
_EFFORTS: Final[Mapping[str, str]] = MappingProxyType({"minimal": "low", "xhigh": "high"})


def write_thinking(request: ChatRequest, profile: Profile, writer: BlockWriter, *, claude: bool) -> Block:
    """The model's own fields; empty where nothing is asked for or the model cannot."""
    wish = request.reasoning
    if wish is None or (wish.enabled is None and wish.effort is None and wish.budget is None):
        return {}
    off = wish.enabled is False or wish.effort == "none" or wish.budget == 0
    if profile.thinks == "no":
        if not off:
            writer.lose("reasoning", "the model does not think", "setting")
        return {}
    if not claude:
        return _effort(wish, writer)
    if off:
        return {"thinking": {"type": "disabled"}}
    if request.tool_choice is not None and request.tool_choice.mode in {"required", "named"} and request.tools:
        writer.lose("reasoning", "a tool that must be called leaves no room for thinking", "setting")
        return {}
    return _budget(wish, request, profile, writer) if profile.thinks == "budget" else _adaptive(wish, writer)


def _effort(wish: Reasoning, writer: BlockWriter) -> Block:
    """OpenAI's open models: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html"""
    effort = wish.effort
    if effort is None or effort == "none":
        writer.lose("reasoning", "the model takes an effort, and none was said", "setting")
        return {}
    return {"reasoning_effort": _EFFORTS.get(effort, effort)}


def _adaptive(wish: Reasoning, writer: BlockWriter) -> Block:
    effort = wish.effort
    if wish.budget is not None and wish.budget != _MODEL_DECIDES:
        writer.lose("reasoning.budget", "the model takes an effort instead of a budget", "setting")
        effort = effort or next((name for name, most in _BUDGETS.items() if wish.budget <= most), "max")
    fields: Block = {"thinking": {"type": "adaptive"}}
    if effort is not None:
        fields["output_config"] = {"effort": "low" if effort == "minimal" else effort}
    return fields


def _budget(wish: Reasoning, request: ChatRequest, profile: Profile, writer: BlockWriter) -> Block:
    limit = request.max_tokens or profile.max_output or _DEFAULT_LIMIT
    wanted = wish.budget
    if wanted is None or wanted == _MODEL_DECIDES:
        wanted = _BUDGETS[wish.effort or "medium"]
        writer.lose("reasoning.effort", "the model takes a budget, of about this effort", "hint")
    budget = max(wanted, _LEAST)
    if budget >= limit:
        budget = limit * 4 // 5
    if budget < _LEAST:
        writer.lose("reasoning", f"{limit} tokens of output leave no room for thinking", "setting")
        return {}
    if wish.budget not in (None, _MODEL_DECIDES, budget):
        writer.lose("reasoning.budget", f"it must be at least {_LEAST} and less than the limit", "setting")
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}
