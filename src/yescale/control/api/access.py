"""Who calls `/api/v1/*`: an account by its access key; what operators alone may see asks for their role as well."""

from typing import Annotated, Final

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict

from yescale.control.access import Desk, present_account
from yescale.control.answers import FaultRaised, Refusal
from yescale.control.operations.refusals import OperationRefused
from yescale.control.operations.users import ADMIN
from yescale.domain.faults import ACCOUNT_DISABLED, INVALID_KEY, MALFORMED, Fault
from yescale.store.accounts import AccountRow

_REFUSED: Final = {401: INVALID_KEY, 403: ACCOUNT_DISABLED}
NOT_AN_OPERATOR: Final = Fault(
    status=403,
    type="permission_error",
    code="operators_only",
    message="Only an operator's account may ask for this.",
    blame="caller",
)


class Body(BaseModel):
    """A request's body; what is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


async def present_caller(request: Request, desk: Desk) -> AccountRow:
    """The account behind the access key of a request. Raises FaultRaised."""
    try:
        return await present_account(request, desk)
    except Refusal as refusal:
        raise FaultRaised(_REFUSED[refusal.status].saying(refusal.message)) from refusal


async def present_operator(caller: Annotated[AccountRow, Depends(present_caller)]) -> AccountRow:
    """The same, where it is an administrator's. Raises FaultRaised."""
    if not is_operator(caller):
        raise FaultRaised(NOT_AN_OPERATOR)
    return caller


def is_operator(caller: AccountRow) -> bool:
    """Whether it is an administrator's account."""
    return caller.role >= ADMIN


def refused(refusal: OperationRefused) -> FaultRaised:
    """The sentence of a refusal; where it begins with a parameter's name and a colon, that is named."""
    sentence = str(refusal)
    name, colon, _ = sentence.partition(":")
    return FaultRaised(MALFORMED.saying(sentence, param=name if colon and name.isidentifier() else None))


Caller = Annotated[AccountRow, Depends(present_caller)]
Operator = Annotated[AccountRow, Depends(present_operator)]
