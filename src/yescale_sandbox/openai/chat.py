"""The route of chat completions."""

from msgspec import Struct

from yescale_sandbox import playback
from yescale_sandbox.exchange import Answer
from yescale_sandbox.openai import catalogue, chat_rules, completion, failure, refusal, reply
from yescale_sandbox.openai.call import Asked, Stage, good
from yescale_sandbox.openai.prompt import prompt_digest
from yescale_sandbox.openai.refusal import RefusedError
from yescale_sandbox.playback import Framing
from yescale_sandbox.speech import claimed

FRAMING = Framing(b"data: [DONE]\n\n", b"data: " + failure.FAILURES.by_name["500"].body + b"\n\n")


class Chat(Struct, frozen=True):
    """Answers chat completions."""

    stage: Stage

    def __call__(self, asked: Asked) -> Answer:
        model = catalogue.chat_model(asked.base)
        if model is None or not model.chats:
            raise _not_for_chat(asked)
        request = chat_rules.checked(asked.body, model)
        stopped = self.stage.stopped(asked, prompt_digest(asked.body))
        if stopped is not None:
            return stopped
        said = reply.compose(request, asked.body, asked.request.body, model, asked.script)
        reported = claimed(said.usage, asked.script)
        if request.stream:
            events = completion.events(said, request, asked.script)
            played = playback.stream_steps(events, asked.script, asked.headers, FRAMING)
        else:
            body = completion.whole_body(said, request, reported)
            played = playback.body_steps(body, asked.script, asked.headers)
        return good(asked.script, played, said.usage, reported)


def _not_for_chat(asked: Asked) -> RefusedError:
    if catalogue.chat_model(asked.base) is not None:
        # https://github.com/BerriAI/litellm/issues/13042
        return RefusedError(
            "This model is only supported in v1/responses and not in v1/chat/completions.", param="model", status=404
        )
    if asked.base in catalogue.EMBEDDING_MODELS or asked.base in catalogue.TEXT_MODELS:
        return RefusedError(
            "This is not a chat model and thus not supported in the v1/chat/completions endpoint. "
            "Did you mean to use v1/completions?",
            param="model",
            status=404,
        )
    return refusal.no_such_model(asked.named)
