"""The one way for calls into the log: their rows, their tags and the roll-ups, all or none of them."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from yescale.domain.ids import AccountId, ChannelId, KeyId, ModelName
from yescale.domain.money import Nano
from yescale.ledger.tally import Charge
from yescale.store.bulk import Addition
from yescale.store.calls import CallRow, end_row, has_failed, insert_calls, insert_tags, tokens_of
from yescale.store.usage import HOUR_MS, add_usage

_Place = tuple[AccountId, int, KeyId, ModelName, str, ChannelId]
_TagPlace = tuple[AccountId, str, int, str]


async def log_calls(
    connection: AsyncConnection, charges: Sequence[Charge], entered: Mapping[AccountId, int], journal: int | None
) -> None:
    """Write calls down. Lock the purses of their accounts first. `entered`: the entries that book their amounts."""
    await insert_calls(
        connection,
        [end_row(charge.end, entered.get(charge.end.account), journal, charge.paid) for charge in charges],
    )
    await insert_tags(connection, [charge.end for charge in charges])
    await add_usage(connection, roll_up(charges), roll_up_tags(charges))


async def log_refund(connection: AsyncConnection, call: CallRow, amount: Nano) -> None:
    """Count a refund where its call is counted. Lock the purse of its account first."""
    hour = call.at_ms // HOUR_MS
    place = (call.account_id, hour, call.key_id, call.model, call.group, call.channel_id)
    tags = sorted(call.explained.tags.items())
    refunded = {"refunded": amount}
    tagged = [Addition((call.account_id, name, hour, value), refunded) for name, value in tags]
    await add_usage(connection, [Addition(place, refunded)], tagged)


def roll_up(charges: Iterable[Charge]) -> list[Addition]:
    """The calls, summed up by place, in the order of the places."""
    found: dict[_Place, dict[str, int]] = {}
    for charge in charges:
        end = charge.end
        place = (end.account, end.at_ms // HOUR_MS, end.key, end.model, end.group, end.channel)
        figures = found.get(place)
        if figures is None:
            figures = found[place] = {"calls": 0, "failed": 0, "amount": 0, "paid": 0}
        _count(figures, charge)
        for meter, used in end.usage.items():
            figures[meter] = figures.get(meter, 0) + used
    return [Addition(place, found[place]) for place in sorted(found)]


def roll_up_tags(charges: Iterable[Charge]) -> list[Addition]:
    """The calls that have tags, summed up by tag, in the order of the places."""
    found: dict[_TagPlace, dict[str, int]] = {}
    for charge in charges:
        end = charge.end
        for name, value in end.tags:
            place = (end.account, name, end.at_ms // HOUR_MS, value)
            figures = found.get(place)
            if figures is None:
                figures = found[place] = {"calls": 0, "failed": 0, "amount": 0, "paid": 0}
            _count(figures, charge)
            prompt, completion = tokens_of(end.usage)
            figures["prompt_tokens"] = figures.get("prompt_tokens", 0) + prompt
            figures["completion_tokens"] = figures.get("completion_tokens", 0) + completion
    return [Addition(place, found[place]) for place in sorted(found)]


def _count(figures: dict[str, int], charge: Charge) -> None:
    figures["calls"] += 1
    if has_failed(charge.end):
        figures["failed"] += 1
    figures["amount"] += charge.end.amount
    figures["paid"] += charge.paid
