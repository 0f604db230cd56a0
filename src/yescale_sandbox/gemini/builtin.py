"""Google's own tools: what a search, a fetched page or a run of code leave in an answer.

https://ai.google.dev/gemini-api/docs/google-search, /url-context and /code-execution.
"""

import re

from yescale_sandbox.gemini.prompt import GenerateRequest
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.speech import SHORT_QUOTE_CHARS, text_tokens

PAGE = "https://example.com/sandbox"
CATEGORIES = ("SEXUALLY_EXPLICIT", "HATE_SPEECH", "HARASSMENT", "DANGEROUS_CONTENT")
MOST_PAGES = 20
PAGE_TOKENS = 200
_ADDRESS = re.compile(r"https?://[^\s\"'<>)]+")


def ratings(probability: str) -> list[Json]:
    """Safety ratings; what is probable was blocked."""
    rows: list[Json] = []
    for place, category in enumerate(CATEGORIES):
        blocked = place == len(CATEGORIES) - 1
        row: JsonObject = {
            "category": f"HARM_CATEGORY_{category}",
            "probability": probability if blocked else "NEGLIGIBLE",
        }
        if blocked:
            row["blocked"] = True
        rows.append(row)
    return rows


def code_parts(request: GenerateRequest, quote: str) -> list[JsonObject]:
    """A program and its output, which is what the program would print."""
    if not request.has("code_execution") or request.contents[-1].responses:
        return []
    short = quote[:SHORT_QUOTE_CHARS]
    code = f"text = {short!r}\nprint(len(text))\n"
    return [
        {"executableCode": {"language": "PYTHON", "code": code}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": f"{len(short)}\n"}},
    ]


def beside(request: GenerateRequest, quote: str, text: str) -> JsonObject:
    """What stands beside the parts of a candidate."""
    made: JsonObject = {}
    if request.has("google_search") or request.has("google_search_retrieval"):
        made["groundingMetadata"] = _grounding(quote, text)
    addresses = _addresses(request, quote)
    if addresses:
        rows: list[Json] = [
            {"retrievedUrl": one, "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"} for one in addresses
        ]
        made["urlContextMetadata"] = {"urlMetadata": rows}
    return made


def prompt_tokens(request: GenerateRequest, quote: str) -> int:
    """What tools brought into the prompt: fetched pages, and the run of code."""
    ran = sum(text_tokens(str(part)) for part in code_parts(request, quote))
    return ran + PAGE_TOKENS * len(_addresses(request, quote))


def _addresses(request: GenerateRequest, quote: str) -> list[str]:
    return _ADDRESS.findall(quote)[:MOST_PAGES] if request.has("url_context") else []


def _grounding(quote: str, text: str) -> JsonObject:
    """One page that carries the first line of the answer; segments are counted in bytes."""
    line = text.partition("\n")[0]
    query = quote[:SHORT_QUOTE_CHARS]
    return {
        "searchEntryPoint": {"renderedContent": '<div class="container">Search by the sandbox</div>'},
        "groundingChunks": [{"web": {"uri": PAGE, "title": "example.com"}}],
        "groundingSupports": [
            {"segment": {"endIndex": len(line.encode()), "text": line}, "groundingChunkIndices": [0]},
        ],
        "webSearchQueries": [query],
    }
