"""Who may call, and how: the key, the version and the betas of the headers.

https://platform.claude.com/docs/en/api/overview, /api/beta-headers and /api/versioning. Since its version 2
anthropic-sdk-python sends keys as bearer tokens; of two credentials `x-api-key` counts.
"""

from msgspec import Struct

from yescale_sandbox.anthropic.refusal import RefusedError, shortened
from yescale_sandbox.exchange import JSON, Request

KEY_PREFIX = "sk-ant-sandbox-"
OLDER_VERSIONS = ("2023-01-01", "2023-06-01")
VERSION = "2026-10-21"
# anthropic-sdk-python, `anthropic_beta_param.py`; then those that were documented before, or that Claude Code sends.
BETAS = frozenset(
    {
        "computer-use-2024-10-22",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "output-128k-2025-02-19",
        "mcp-client-2025-04-04",
        "mcp-client-2025-11-20",
        "dev-full-thinking-2025-05-14",
        "interleaved-thinking-2025-05-14",
        "code-execution-2025-05-22",
        "context-1m-2025-08-07",
        "context-management-2025-06-27",
        "model-context-window-exceeded-2025-08-26",
        "fast-mode-2026-02-01",
        "advisor-tool-2026-03-01",
        "thinking-token-count-2026-05-13",
        "compact-2026-01-12",
        "structured-outputs-2025-11-13",
        "task-budgets-2026-03-13",
        "message-batches-2024-09-24",
        "prompt-caching-2024-07-31",
        "pdfs-2024-09-25",
        "token-counting-2024-11-01",
        "token-efficient-tools-2025-02-19",
        "files-api-2025-04-14",
        "extended-cache-ttl-2025-04-11",
        "skills-2025-10-02",
        "cache-diagnosis-2026-04-07",
        "max-tokens-3-5-sonnet-2024-07-15",
        "claude-code-20250219",
        "oauth-2025-04-20",
        "fine-grained-tool-streaming-2025-05-14",
        "code-execution-2025-08-25",
        "web-search-2025-03-05",
        "web-fetch-2025-09-10",
        "tool-search-tool-2025-10-19",
        "tool-examples-2025-10-29",
        "advanced-tool-use-2025-11-20",
        "effort-2025-11-24",
        "structured-outputs-2025-12-15",
        "prompt-caching-scope-2026-01-05",
        "redact-thinking-2026-02-12",
    }
)


class Terms(Struct, frozen=True):
    """By which version of the API a request is judged, and with which betas."""

    version: str = OLDER_VERSIONS[-1]
    betas: frozenset[str] = frozenset()

    @property
    def is_newest(self) -> bool:
        """https://platform.claude.com/docs/en/api/migration-2026-10-21: no sampling, stricter messages."""
        return self.version == VERSION


def presented_key(request: Request) -> str:
    """The key of the call.

    Raises: RefusedError, status 401.
    """
    key = request.headers.get("x-api-key", "").strip()
    if key:
        return _known(key, "invalid x-api-key")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise RefusedError("x-api-key header is required", status=401)
    return _known(token.strip(), "Invalid bearer token")


def terms(request: Request) -> Terms:
    """Raises: RefusedError."""
    version = request.headers.get("anthropic-version")
    if version is None:
        raise RefusedError("anthropic-version: header is required")
    if version not in (*OLDER_VERSIONS, VERSION):
        raise RefusedError(f'anthropic-version: "{shortened(version)}" is not a valid version')
    return Terms(version, _betas(request))


def check_json(request: Request) -> None:
    """Raises: RefusedError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise RefusedError("content-type: this endpoint takes application/json")


def _betas(request: Request) -> frozenset[str]:
    header = request.headers.get("anthropic-beta")
    return frozenset() if header is None else known_betas([name.strip() for name in header.split(",")])


def known_betas(names: list[str], known: frozenset[str] = BETAS) -> frozenset[str]:
    """The betas, if all are known here.

    Raises: RefusedError, in the words of github.com/QuantumNous/new-api/issues/2975.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        shown = ", ".join(f"`{shortened(name)}`" for name in unknown)
        raise RefusedError(
            f"Unexpected value(s) {shown} for the `anthropic-beta` header. Please consult our documentation at "
            "docs.anthropic.com or try again without the header."
        )
    return frozenset(names)


def _known(key: str, otherwise: str) -> str:
    if not key.startswith(KEY_PREFIX):
        raise RefusedError(otherwise, status=401)
    return key
