"""What `yescale serve` prints once it is ready."""

import sys
from typing import Final

import msgspec
from msgspec import Struct

from yescale.serve.health import base_url
from yescale.settings import Settings

CURL: Final = """\
curl {url}/v1/chat/completions \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "gpt-4o-mini", "messages": [{{"role": "user", "content": "Say hello."}}]}}'
"""


class FirstStart(Struct, frozen=True):
    """What control wrote down at the first start of this home; the credentials are nowhere else in clear."""

    api_key: str = ""
    access_key: str = ""
    admin_username: str = ""
    admin_password: str = ""


def announce(settings: Settings) -> None:
    """Print where the server is and, with the sandbox, what to paste for a first call."""
    sys.stdout.write("\n".join(_lines(settings)) + "\n")
    sys.stdout.flush()


def _lines(settings: Settings) -> list[str]:
    url = base_url(settings)
    lines = [f"yescale is ready at {url}"]
    try:
        made = msgspec.json.decode((settings.home / "bootstrap.json").read_bytes(), type=FirstStart)
    except (OSError, msgspec.MsgspecError):
        return lines
    if made.admin_username:
        lines.append(f"Administrator: {made.admin_username}; the password is in {settings.home / 'bootstrap.json'}")
    if settings.sandbox and made.api_key:
        lines += [f"API key:    {made.api_key}", f"Access key: {made.access_key}", "", "Try it:", ""]
        lines.append(CURL.format(url=url, key=made.api_key))
    return lines
