"""What a model can do, as far as a request to it must know."""

from typing import Literal

from msgspec import Struct


class Profile(Struct, frozen=True, kw_only=True, gc=False):
    """Of one upstream model. The defaults are those of a model of which nothing is known."""

    max_output: int = 0  # tokens; 0 = not stated
    limit_field: str = "max_tokens"  # OpenAI chat: where the output limit stands
    thinks: Literal["no", "budget", "effort", "adaptive"] = "effort"  # how it is told to think, where the format can
    samples: bool = True  # takes temperature, top_p, penalties
    asks_usage: bool = True  # OpenAI chat: a stream may be asked for its usage; else it tells it unasked
    developer: bool = False  # OpenAI chat: system words stand in the role `developer`
    late_system: bool = True  # a system message may stand behind others (promise 25)
    schemas: bool = True  # takes a JSON Schema for its output
    custom_tools: bool = False  # OpenAI chat: takes tools of free text; else they go as functions with one text
    searches: bool = False  # OpenAI chat: takes `web_search_options`
    cache_points: bool = True  # Converse: takes marks of what is to be cached
    description_chars: int = 0  # OpenAI chat: the longest description of a tool; 0 = no bound known
    seals_required: bool = False  # Gemini 3: a call of a tool without its seal is refused
