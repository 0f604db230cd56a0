"""The clients of the matrix, each with the wire format that it speaks and what it can be asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.matrix.anthropic_client import MessagesClient
from tests.matrix.asking import Client
from tests.matrix.framework_clients import (
    LlamaIndexClient,
    langchain_anthropic,
    langchain_google,
    langchain_openai,
)
from tests.matrix.google_client import GenerateClient
from tests.matrix.openai_clients import ChatClient, ResponsesClient


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One client: how to build it from an address and a key. `cannot`: what it has no words for, and why. `named`: it
    refuses models whose names it does not know. `keeps_thoughts`: it gives a model its thoughts back.
    """

    name: str
    format: str
    make: Callable[[str, str], Client]
    cannot: dict[str, str] = field(default_factory=dict)
    named: bool = False
    keeps_thoughts: bool = True


CLIENTS = (
    Kind(name="openai chat", format="chat", make=ChatClient),
    Kind(name="openai responses", format="responses", make=ResponsesClient),
    Kind(name="anthropic", format="messages", make=MessagesClient),
    Kind(name="google-genai", format="generate", make=GenerateClient),
    Kind(
        name="langchain-openai",
        format="chat",
        make=langchain_openai,
        cannot={"thinking": "over chat completions it neither shows thoughts nor sends them back"},
    ),
    Kind(name="langchain-anthropic", format="messages", make=langchain_anthropic),
    Kind(name="langchain-google-genai", format="generate", make=langchain_google),
    Kind(
        name="llama-index-llms-openai",
        format="chat",
        make=LlamaIndexClient,
        cannot={
            "thinking": "it neither shows thoughts nor sends them back",
            "structured": "it asks for a schema by calls of tools, which are tried",
        },
        named=True,
    ),
)
