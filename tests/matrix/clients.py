"""The clients of the matrix, each with the wire format that it speaks and what it can be asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import anthropic
import openai
from google.genai.errors import ClientError
from langchain_google_genai.chat_models import ChatGoogleGenerativeAIError

from tests.matrix.anthropic_client import MessagesClient
from tests.matrix.asking import Client
from tests.matrix.framework_clients import (
    LlamaIndexClient,
    langchain_anthropic,
    langchain_google,
    langchain_openai,
    langchain_responses,
)
from tests.matrix.google_client import GenerateClient
from tests.matrix.node_clients import NodeClient, NodeError
from tests.matrix.openai_clients import ChatClient, ResponsesClient


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One client: how to build it from an address and a key. `raises`: what a refusal is. `named`: it refuses models
    whose names it does not know. `shows_thoughts`, `keeps_thoughts`: what it does with a model's thoughts.
    """

    name: str
    format: str
    make: Callable[[str, str], Client]
    raises: type[Exception]
    named: bool = False
    shows_thoughts: bool = True
    keeps_thoughts: bool = True


CLIENTS = (
    Kind(name="openai chat", format="chat", make=ChatClient, raises=openai.BadRequestError),
    Kind(name="openai responses", format="responses", make=ResponsesClient, raises=openai.BadRequestError),
    Kind(name="anthropic", format="messages", make=MessagesClient, raises=anthropic.BadRequestError),
    Kind(name="google-genai", format="generate", make=GenerateClient, raises=ClientError),
    Kind(
        name="langchain-openai chat",
        format="chat",
        make=langchain_openai,
        raises=openai.BadRequestError,
        shows_thoughts=False,
        keeps_thoughts=False,
    ),
    Kind(
        name="langchain-openai responses",
        format="responses",
        make=langchain_responses,
        raises=openai.BadRequestError,
    ),
    Kind(name="langchain-anthropic", format="messages", make=langchain_anthropic, raises=anthropic.BadRequestError),
    Kind(
        name="langchain-google-genai",
        format="generate",
        make=langchain_google,
        raises=ChatGoogleGenerativeAIError,
    ),
    Kind(
        name="llama-index-llms-openai",
        format="chat",
        make=LlamaIndexClient,
        raises=openai.BadRequestError,
        named=True,
        keeps_thoughts=False,
    ),
)
NODE = tuple(
    Kind(name=f"{sdk} (Node)", format=form, make=partial(NodeClient, sdk), raises=NodeError)
    for sdk, form in (("openai chat", "chat"), ("openai responses", "responses"), ("anthropic", "messages"))
)
