"""The operations by name. A name is what the command line says: `channel add`, `key create`, `ledger verify`."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Struct

from yescale.control.context import Context
from yescale.control.operations import (
    catalogue,
    catalogue_file,
    channels,
    codes,
    key_secrets,
    keys,
    limits,
    logs,
    money,
    probes,
    reconciliation,
    system,
    users,
)
from yescale.control.operations.refusals import OperationRefused


class Operation(Struct, frozen=True):
    """The arguments that it takes, and what does it: `(context, arguments) -> a JSON value`."""

    arguments: type[Struct]
    run: Callable[[Context, Any], Awaitable[object]]


OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        "channel add": Operation(channels.AddChannel, channels.add_channel),
        "channel list": Operation(channels.ListChannels, channels.list_all_channels),
        "channel edit": Operation(channels.EditChannel, channels.edit_channel),
        "channel enable": Operation(channels.OneChannel, channels.enable_channel),
        "channel disable": Operation(channels.OneChannel, channels.disable_channel),
        "channel matches": Operation(channels.MatchSecrets, channels.match_secrets),
        "channel test": Operation(probes.ProbeChannel, probes.probe_channel),
        "channel delete": Operation(channels.OneChannel, channels.remove_channel),
        "model add": Operation(catalogue.AddModel, catalogue.add_model),
        "model edit": Operation(catalogue.EditModel, catalogue.edit_model),
        "model list": Operation(catalogue.ListModels, catalogue.list_all_models),
        "model enable": Operation(catalogue.OneModel, catalogue.enable_model),
        "model disable": Operation(catalogue.OneModel, catalogue.disable_model),
        "model pause": Operation(catalogue.OneModel, catalogue.pause_model),
        "model resume": Operation(catalogue.OneModel, catalogue.resume_model),
        "model deprecate": Operation(catalogue.DeprecateModel, catalogue.deprecate_model),
        "price set": Operation(catalogue.SetPrice, catalogue.set_price),
        "price list": Operation(catalogue.AskPrices, catalogue.list_all_prices),
        "catalogue export": Operation(catalogue_file.ExportCatalogue, catalogue_file.export_catalogue),
        "catalogue diff": Operation(catalogue_file.CompareCatalogue, catalogue_file.compare_catalogue),
        "catalogue import": Operation(catalogue_file.ImportCatalogue, catalogue_file.import_catalogue),
        "group set": Operation(catalogue.SetGroup, catalogue.set_group_ratio),
        "group list": Operation(catalogue.ListGroups, catalogue.list_all_groups),
        "user create": Operation(users.CreateUser, users.create_user),
        "user list": Operation(users.ListUsers, users.list_users),
        "user enable": Operation(users.OneUser, users.enable_user),
        "user disable": Operation(users.OneUser, users.disable_user),
        "user password": Operation(users.SetPassword, users.set_password),
        "user access-key": Operation(users.OneUser, users.renew_access_key),
        "key create": Operation(keys.CreateKey, keys.create_key),
        "key list": Operation(keys.ListKeys, keys.list_all_keys),
        "key edit": Operation(keys.EditKey, keys.edit_key),
        "key delete": Operation(keys.OneKey, keys.remove_key),
        "key rotate": Operation(key_secrets.RotateKey, key_secrets.rotate_key),
        "key import": Operation(key_secrets.ImportKeys, key_secrets.import_keys),
        "limit set": Operation(limits.SetLimit, limits.set_limit),
        "limit list": Operation(limits.ListLimits, limits.list_all_limits),
        "limit remove": Operation(limits.OneLimit, limits.remove_limit),
        "topup": Operation(money.TopUp, money.top_up),
        "adjust": Operation(money.Adjust, money.adjust),
        "refund": Operation(money.Refund, money.refund_call),
        "code create": Operation(codes.CreateCodes, codes.create_codes),
        "code list": Operation(codes.ListCodes, codes.list_all_codes),
        "code void": Operation(codes.VoidCodes, codes.void_all_codes),
        "ledger verify": Operation(money.VerifyLedger, money.verify_ledger),
        "ledger reconcile": Operation(reconciliation.ReconcileLedger, reconciliation.reconcile_ledger),
        "log list": Operation(logs.ListCalls, logs.list_calls),
        "log show": Operation(logs.OneCall, logs.show_call),
        "status": Operation(system.AskStatus, system.status),
    }
)


async def operate(context: Context, name: str, arguments: Mapping[str, Any]) -> object:
    """Run an operation by name; its result is a JSON value. Raises OperationRefused, DatabaseAway."""
    operation = OPERATIONS.get(name)
    if operation is None:
        raise OperationRefused(f"There is no operation {name!r}; there are: {', '.join(OPERATIONS)}.")
    try:
        asked = msgspec.convert(dict(arguments), operation.arguments, strict=False)
    except msgspec.ValidationError as error:
        raise OperationRefused(f"{name}: {error}.") from error
    return await operation.run(context, asked)
