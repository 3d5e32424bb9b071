"""Where exports are sent: buckets of S3 and of Google Cloud Storage."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta
from sqlalchemy import select

from tallystick.exports.layout import PartitionOrder
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Code, Entity, Name, Transaction, resource
from tallystick.platform.resources.tables import metadata

ROLE_PATTERN: Final = r"^arn:aws:iam::\d+:role/.*$"
_FORMS: Final = {
    "bucketName": ("bucket_name", re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"), "the name of a bucket"),
    "iamRoleArn": (
        "iam_role_arn",
        re.compile(ROLE_PATTERN),
        "the ARN of a role: arn:aws:iam::<account>:role/…",
    ),
    "projectNumber": ("project_number", re.compile(r"[0-9]+"), "the number of a project"),
    "poolId": ("pool_id", re.compile(r"[a-z0-9-]+"), "the id of a pool: a-z, 0-9 and -"),
    "providerId": ("provider_id", re.compile(r"[a-z0-9-]+"), "the id of a provider: a-z, 0-9 and -"),
    "serviceAccountEmail": (
        "service_account_email",
        re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+"),
        "the address of a service account",
    ),
}
"What becomes a part of the URLs that Google and AWS are asked by, with this server's own identity."
Text = Annotated[str, Meta(min_length=1)]


class DestinationType(StrEnum):
    """Whose bucket it is."""

    S3 = "S3"
    GCS = "GCS"


_NEEDED: Final = {
    DestinationType.S3: {"iamRoleArn": "iam_role_arn"},
    DestinationType.GCS: {
        "projectNumber": "project_number",
        "poolId": "pool_id",
        "providerId": "provider_id",
    },
}
_OWN: Final = {
    DestinationType.S3: {"iamRoleArn": "iam_role_arn"},
    DestinationType.GCS: {**_NEEDED[DestinationType.GCS], "serviceAccountEmail": "service_account_email"},
}


@resource(
    "dataexports/destinations",
    event="dataexport.destination",
    unique=("code",),
    max_page_size=200,
    table="exportdestinations",
)
class ExportDestination(Entity, kw_only=True):
    """A bucket that export files are put into (semantics §30).

    S3: through the role `iamRoleArn`, assumed with the organization's id as external id. GCS: by workload
    identity federation of projectNumber, poolId and providerId, as serviceAccountEmail if it is given.
    """

    name: Name
    code: Code
    destination_type: DestinationType | None = None
    bucket_name: Annotated[str, Meta(min_length=3, max_length=63)]
    prefix: str | None = None
    partition_order: PartitionOrder | None = None
    iam_role_arn: Annotated[str, Meta(min_length=1)] | None = None
    project_number: Text | None = None
    pool_id: Text | None = None
    provider_id: Text | None = None
    service_account_email: str | None = None

    def check(self) -> Iterator[Problem]:
        """Each type has what it is reached by, and nothing of the other."""
        if self.destination_type is None:
            yield Problem("destinationType", "required", "must be S3 or GCS")
            return
        for wire, name in _NEEDED[self.destination_type].items():
            if not getattr(self, name):
                yield Problem(wire, "required", f"is required for {self.destination_type}")
        for other in DestinationType:
            if other is not self.destination_type:
                for wire, name in _OWN[other].items():
                    if getattr(self, name):
                        yield Problem(wire, "not_applicable", f"is only used for {other}")
        yield from self._forms()

    def _forms(self) -> Iterator[Problem]:
        """Each part is what it is called."""
        for wire, (name, form, words) in _FORMS.items():
            given = getattr(self, name)
            if given and not form.fullmatch(given):
                yield Problem(wire, "wrong_format", f"must be {words}")

    def check_delete(self, tx: Transaction) -> Iterator[Problem]:
        """A schedule that sends here holds it (semantics §30)."""
        schedules = metadata.tables["exportschedules"]
        linked = (schedules.c.org_id == tx.org_id, schedules.c.destination_ids.contains([self.id]))
        for code in tx.execute(select(schedules.c.code).where(*linked).order_by(schedules.c.code)).scalars():
            yield Problem("id", "linked", f"the export schedule {code} sends to it; change that first")
