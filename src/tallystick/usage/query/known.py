"""What an organization has of the things that a query over usage names."""

import re
from collections.abc import Collection, Iterable

from sqlalchemy import ARRAY, any_, cast, select

from tallystick.accounts.account import Account
from tallystick.catalogue.meter import Meter
from tallystick.platform.resources import Transaction, resource_of
from tallystick.platform.resources.fields import UUID_PATTERN
from tallystick.usage.query.planning import Known
from tallystick.usage.query.request import UsageQueryRequest

_UUID = re.compile(UUID_PATTERN)
_account = resource_of(Account).table


def load_known(tx: Transaction, query: UsageQueryRequest) -> Known:
    """Load the meters and accounts that a query names; all meters when it asks about all."""
    named = [*query.meter_ids, *(each.meter_id for each in query.aggregations)]
    if named:
        named += [each.meter_id for each in query.dimension_filters]
        named += [group.meter_id for group in query.groups if group.meter_id]
        meters = tx.find(Meter, id=_ids(named))
    else:
        meters = tx.find(Meter)
    return Known({meter.id: meter for meter in meters}, account_codes(tx, _ids(query.account_ids)).keys())


def account_codes(tx: Transaction, account_ids: Collection[str]) -> dict[str, str]:
    """Give the codes of the accounts that still exist, by id."""
    if not account_ids:
        return {}
    wanted = _account.c.id == any_(cast(list(account_ids), ARRAY(_account.c.id.type)))
    found = tx.execute(select(_account.c.id, _account.c.code).where(_account.c.org_id == tx.org_id, wanted))
    return {row.id: row.code for row in found}


def _ids(given: Iterable[str]) -> list[str]:
    return list({each.lower() for each in given if _UUID.fullmatch(each)})
