"""Every ending on every surface, behind a provider of every format that can serve it: told, written down, charged.

The matrix is made from the surfaces and the providers: a new one is played, or fails for want of its words.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateway.askers import ASKERS, relayed
from tests.integration.gateway.stage import (
    PER_REQUEST,
    Drain,
    Moment,
    Pair,
    Played,
    Scene,
    Stage,
    Then,
    cost,
    pairs_of,
    said_in_json,
    streams,
)  # fmt: skip
from tests.integration.gateway.tongues import TOKENS, TONGUES
from yescale.domain.usage import Meter, Usage
from yescale.gateway.surfaces import Surface
from yescale.wire.client import Deadlines

MOMENTS: tuple[Moment, ...] = ("before the head", "at the first text", "midway", "after the usage")
CELLS = [(surface, stream) for surface in relayed() for stream in streams(surface)]
NAMES = [f"{surface.path.decode().split('/')[-1]}-{'stream' if stream else 'whole'}" for surface, stream in CELLS]
LEAVINGS: tuple[tuple[Drain, Then], ...] = (("long", "go on"), ("brief", "stall"), ("none", "stall"))
matrix = pytest.mark.parametrize(("surface", "stream"), CELLS, ids=NAMES)
DRAINED: dict[Drain, str] = {
    "long": "drained ",
    "brief": "time limit of the drain reached",
    "none": "not drained",
}


def test_every_surface_and_every_format_behind_it_has_its_words() -> None:
    """A new surface or provider without a row here fails the build."""
    assert {surface.format.id for surface in relayed()} == set(ASKERS)
    assert {pair.spoken for surface in relayed() for pair in pairs_of(surface)} == set(TONGUES)


@matrix
async def test_a_client_that_leaves_pays_what_was_used(tmp_path: Path, surface: Surface, stream: bool) -> None:
    """Promises 6, 7, 9, 10 and 11: what the provider reports within the drain, else an estimate that says so."""
    pairs = tuple(pairs_of(surface))
    scenes = list(_departures(pairs, stream=stream))
    async with Stage(tmp_path, pairs) as stage:
        found = [wrong for played in await stage.play(scenes) for wrong in _look_at_departure(played)]
    assert found == [], "\n".join(found)


def _departures(pairs: tuple[Pair, ...], *, stream: bool) -> Iterator[Scene]:
    for pair in pairs:
        for moment in MOMENTS:
            for drain, then in LEAVINGS:
                yield Scene(pair=pair, stream=stream, moment=moment, then=then, leaves=True, drain=drain)


def _look_at_departure(played: Played) -> Iterator[str]:
    scene, end = played.scene, played.end
    yield from _look_at_names(played)
    yield from _look_at_money(played, whole_answer=scene.then == "go on")
    if end.outcome == "ok" and scene.stream and scene.moment == "after the usage" and scene.pair.tongue.ends_itself:
        return  # the end was there before the client left
    if end.outcome != "client_gone" or end.status != 200:
        yield f"{scene}: {end.outcome} ({end.status})"
    if DRAINED[scene.drain] not in end.note:
        yield f"{scene}: the note does not say what became of the drain: {end.note!r}"


@matrix
async def test_an_answer_that_breaks_off_never_looks_whole(tmp_path: Path, surface: Surface, stream: bool) -> None:
    """Promises 8, 10 and 28: an error in the client's own format, and what was relayed is charged."""
    pairs = tuple(pairs_of(surface))
    thens: tuple[Then, ...] = ("reset", "close", "nonsense", "garbage", "500", "400") + (("error",) if stream else ())
    scenes = [
        Scene(pair=pair, stream=stream, moment=moment, then=then)
        for pair in pairs
        for moment in (MOMENTS[1:] if stream else ("midway",))
        for then in thens
    ]
    async with Stage(tmp_path, pairs) as stage:
        found = [wrong for played in await stage.play(scenes) for wrong in _look_at_break(played)]
    assert found == [], "\n".join(found)


@pytest.mark.parametrize("then", ["stall", "drip"])
async def test_an_answer_that_does_not_end_is_ended(tmp_path: Path, then: Then) -> None:
    """Promise 28: deadlines, on every surface and behind every format at once."""
    cells = [(pair, stream) for surface, stream in CELLS for pair in pairs_of(surface) if stream or then == "stall"]
    pairs = tuple(pair for pair, _ in cells)
    scenes = [Scene(pair=pair, stream=stream, moment="midway", then=then) for pair, stream in cells]
    deadlines = Deadlines(first_byte_s=5.0, idle_s=3.0, total_s=4.0)
    async with Stage(tmp_path, pairs, deadlines=deadlines) as stage:
        found = [wrong for played in await stage.play(scenes) for wrong in _look_at_break(played)]
    assert found == [], "\n".join(found)


@matrix
async def test_a_client_that_leaves_a_broken_answer_pays_for_what_was_made(
    tmp_path: Path, surface: Surface, stream: bool
) -> None:
    """Promise 6: never zero, where the provider had begun to answer in a stream and failed behind the client's back."""
    pairs = tuple(pairs_of(surface))
    thens: tuple[Then, ...] = ("reset", "close") + (("error",) if stream else ())
    scenes = [
        Scene(pair=pair, stream=stream, moment=moment, then=then, leaves=True)
        for pair in pairs
        for moment in ("at the first text", "after the usage")
        for then in thens
    ]
    async with Stage(tmp_path, pairs) as stage:
        played = await stage.play(scenes)
    found = [wrong for one in played for wrong in _look_at_money(one, whole_answer=False, relayed=one.scene.stream)]
    assert found == [], "\n".join(found)


def _look_at_break(played: Played) -> Iterator[str]:
    """What is wrong with a call whose client stayed and whose provider failed."""
    scene, end, saw = played.scene, played.end, played.saw
    yield from _look_at_names(played)
    over = scene.stream and scene.moment == "after the usage" and _ends_there(scene)
    if over and scene.then not in ("500", "400"):
        if end.outcome != "ok" or not saw.whole:
            yield f"{scene}: it was whole, and is {end.outcome}"
        return
    begun = scene.stream and scene.then not in ("500", "400")
    yield from _look_at_money(played, whole_answer=False, relayed=begun)
    late = scene.then in ("stall", "drip")
    outcome = "deadline" if late else "upstream_cut" if begun else "upstream_error"
    if end.outcome != outcome:
        yield f"{scene}: {end.outcome}, not {outcome}"
    if begun:
        asker = ASKERS[scene.pair.surface.format.id]
        if saw.status != 200 or saw.whole or asker.ended(saw.body) or not asker.failed(saw.body):
            yield f"{scene}: the client saw {saw}"
    elif saw.status < 400 or not said_in_json(saw.body):
        yield f"{scene}: the client saw {saw}"


def _ends_there(scene: Scene) -> bool:
    """Whether nothing more is needed behind the usage: the end came with it, or a clean close stands for the end.

    Arrays need their bracket, and Anthropic's events their last one to be translated. What passes unchanged is not
    read, so that nonsense in it is no reason to break off.
    """
    spoken = scene.pair.spoken
    native = spoken == scene.pair.surface.format.id
    closes = scene.then == "close" or (scene.then == "nonsense" and native)
    marked = spoken == "gemini.generate.array" or (spoken.startswith("anthropic.") and not native)
    return scene.pair.tongue.ends_itself or (closes and not marked)


def _look_at_names(played: Played) -> Iterator[str]:
    """Promise 10: priced as the model that was asked for, which is not what the provider calls it."""
    scene, end = played.scene, played.end
    if (end.model, end.upstream_model) != (scene.pair.model(scene.drain), "theirs"):
        yield f"{scene}: the row names {end.model} and {end.upstream_model}"
    if end.stream != scene.stream:
        yield f"{scene}: the row says stream={end.stream}"


def _look_at_money(played: Played, *, whole_answer: bool, relayed: bool = True) -> Iterator[str]:
    """What is wrong with a charge. `whole_answer`: the provider's came whole; `relayed`: it began to answer."""
    scene, end = played.scene, played.end
    tongue = scene.pair.tongue
    if scene.pair.surface.free:
        if end.amount:
            yield f"{scene}: a free call costs {end.amount}"
        return
    known = whole_answer or (scene.stream and scene.moment == "after the usage")
    if not relayed:
        usage, estimated = {}, False
    elif known:
        usage, estimated = dict(tongue.usage), False
    else:
        usage, estimated = _guess(played), True
    said = {meter: count for meter, count in end.usage.items() if count and meter != Meter.REQUESTS}
    expected = {meter: count for meter, count in usage.items() if count and meter != Meter.REQUESTS}
    amount = PER_REQUEST if scene.pair.operation == "moderate" and relayed else cost(usage)
    if said != expected or end.amount != amount or end.estimated != estimated:
        flags = f"estimated={end.estimated}, not {estimated}; {end.note!r}"
        yield f"{scene}: {said} for {end.amount}, not {expected} for {amount}; {flags}"


def _guess(played: Played) -> Usage:
    """The documented estimate: what the provider said of the prompt, else four bytes a token; and of relayed text."""
    scene = played.scene
    heard = scene.stream and scene.moment != "before the head"
    texts = {Meter.OUTPUT_TOKENS: scene.texts * TOKENS if heard else 0}
    if heard and scene.pair.tongue.early:
        return {**scene.pair.tongue.early, **texts}
    said = len(played.body) + (3 if scene.pair.operation == "rerank" else 0)  # its query counts for each document
    return {Meter.INPUT_TOKENS: (said // 2 + 1) // 2, **texts}
