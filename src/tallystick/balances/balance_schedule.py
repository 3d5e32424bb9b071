"""What the two kinds of balance schedules have in common: a balance, and which run of theirs comes next."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Annotated, ClassVar, Self

import msgspec

from tallystick.balances.balance import Balance
from tallystick.organizations.organization_config import organization_zone
from tallystick.platform.resources import Code, Computed, CustomFields, Entity, Id, Name, Ref, Transaction


class BalanceSchedule(Entity, kw_only=True):
    """Makes something for a balance again and again (semantics §19).

    nextRun: when it is made next; none when the last one was. previousRun: of the latest one.
    """

    timing: ClassVar[tuple[str, ...]] = ()
    "The fields that say when it runs."

    balance_id: Annotated[Id, Ref(Balance), Computed()] = ""
    name: Name
    code: Code
    custom_fields: CustomFields = {}
    next_run: Annotated[datetime | None, Computed()] = None
    previous_run: Annotated[datetime | None, Computed()] = None

    def instants(self, zone: tzinfo) -> Iterator[datetime]:
        """Give when it runs, in order. zone: the organization's."""
        yield from ()

    def settle(self, tx: Transaction, old: Self | None) -> Self:
        """Find its next run: the one that stands, else the first one after the latest that was."""
        kept = self
        if old is not None:
            kept = msgspec.structs.replace(
                self, balance_id=old.balance_id, previous_run=old.previous_run, next_run=old.next_run
            )
            if all(getattr(kept, name) == getattr(old, name) for name in self.timing):
                return kept
        return kept.rescheduled(organization_zone(tx))

    def rescheduled(self, zone: tzinfo) -> Self:
        """Give it with the run that comes after its previous one."""
        before = self.previous_run
        following = next((at for at in self.instants(zone) if before is None or at > before), None)
        return msgspec.structs.replace(self, next_run=following)
