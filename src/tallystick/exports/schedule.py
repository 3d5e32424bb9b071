"""Exports that happen again and again."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tallystick.exports.content import (
    ExportFileFormat,
    OperationalDataType,
    SourceType,
    content_of,
    content_problems,
    stored_content_problems,
)
from tallystick.exports.layout import FileFormat
from tallystick.exports.timing import ScheduleType, Timing, next_run
from tallystick.kernel.problems import Problem
from tallystick.kernel.time_periods import TimePeriod
from tallystick.platform.resources import Code, Entity, Hidden, Transaction, resource
from tallystick.platform.resources.fields import DescribedAsText
from tallystick.usage.query.request import DataExplorerAggregation, DataExplorerFilter, DataExplorerGroup

Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]


@resource(
    "dataexports/schedules",
    event="dataexport.schedule",
    unique=("code",),
    table="exportschedules",
    verbs=("get", "delete", "list"),
)
class ExportSchedule(Entity, kw_only=True):
    """An export of usage or of operational data, every `period` or at the times of a cron expression.

    period: in minutes, hours or days, by scheduleType. offset: minutes for HOUR, hours for DAY.
    timePeriod: which usage, seen from each run. All in UTC (semantics §30).
    """

    name: Annotated[str, Meta(min_length=1)]
    code: Code
    source_type: SourceType
    destination_ids: list[str] = []
    schedule_type: Annotated[ScheduleType | None, DescribedAsText()] = None
    period: Count | None = None
    offset: Count | None = None
    cron_expression: str | None = None
    export_file_format: ExportFileFormat = FileFormat.CSV
    operational_data_types: list[OperationalDataType] = []
    meter_ids: list[str] = []
    account_ids: list[str] = []
    time_period: TimePeriod | None = None
    dimension_filters: list[DataExplorerFilter] = []
    aggregations: list[DataExplorerAggregation] = []
    groups: list[DataExplorerGroup] = []
    next_run_at: Annotated[datetime | None, Hidden()] = None

    @property
    def timing(self) -> Timing:
        """When it runs."""
        return Timing(self.schedule_type, self.period, self.offset, self.cron_expression)

    def settle(self, tx: Transaction, old: Any) -> "ExportSchedule":
        """Set the first run after now when its times are new; else leave the next one as it is."""
        settled = msgspec.structs.replace(
            self, destination_ids=[each.lower() for each in self.destination_ids]
        )
        if (old is not None and old.timing == self.timing) or any(self.timing.problems()):
            return settled
        now = tx.clock.now()
        at = next_run(self.timing, self.dt_created or now, now)
        return msgspec.structs.replace(settled, next_run_at=at)

    def check(self) -> Iterator[Problem]:
        """Its times, its content, and what a source type needs."""
        yield from self.timing.problems()
        yield from content_problems(content_of(self))
        if self.source_type is SourceType.USAGE and self.time_period is None:
            yield Problem("timePeriod", "required", "is required to export usage")
        if self.source_type is SourceType.OPERATIONAL and self.time_period is not None:
            yield Problem("timePeriod", "not_applicable", "is only used to export USAGE")

    def check_stored(self, tx: Transaction, old: Entity | None) -> Iterator[Problem]:
        """Destinations, meters, fields and accounts exist."""
        yield from stored_content_problems(tx, content_of(self))
