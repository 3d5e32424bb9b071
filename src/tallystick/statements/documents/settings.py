"""What an organization's documents say beside the data: in which language, from whom, how to pay."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta

from tallystick.accounts.account import Address
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import Entity, Transaction, resource
from tallystick.platform.resources.declaration import VersionedRequest
from tallystick.platform.resources.transaction import from_request, replace_versioned
from tallystick.statements.documents.formats import parse_locale


class Paper(StrEnum):
    """The size of a page."""

    A4 = "A4"
    LETTER = "LETTER"


@resource("documentsettings", event="configuration.documentsettings", verbs=())
class DocumentSettings(Entity, kw_only=True):
    """What stands on bills and statements that are made for people. Beyond the original API.

    locale: the language and how numbers and dates are written, such as `de`, `en-GB`, `ar-AE`. Without a
    vendorName it is the organization's. paymentInstructions and footer may have several lines.
    """

    locale: Annotated[str, Meta(min_length=2, max_length=35)] = "en"
    paper: Paper = Paper.A4
    vendor_name: Annotated[str, Meta(max_length=200)] | None = None
    vendor_address: Address | None = None
    tax_id: Annotated[str, Meta(max_length=50)] | None = None
    payment_instructions: Annotated[str, Meta(max_length=1000)] | None = None
    footer: Annotated[str, Meta(max_length=300)] | None = None
    appendix: bool = True
    "Whether a bill ends with how each amount came about."

    def check(self) -> Iterator[Problem]:
        """The locale is one."""
        if parse_locale(self.locale) is None:
            message = f"{self.locale} is no locale: write a language, such as de, with a region if it matters"
            yield Problem("locale", "unknown_locale", message)


def document_settings(tx: Transaction) -> DocumentSettings:
    """Give the organization's settings, or the defaults, which have version 0."""
    return tx.find_one(DocumentSettings) or DocumentSettings(id=_id(tx))


def put_document_settings(tx: Transaction, request: VersionedRequest) -> DocumentSettings:
    """Store the settings, the first time without a version. Raises InvalidBody, StaleVersion."""
    stored = tx.find_one(DocumentSettings, lock=True)
    if stored is not None:
        return replace_versioned(tx, stored, request)
    return tx.create(msgspec.structs.replace(from_request(DocumentSettings, request), id=_id(tx)))


def _id(tx: Transaction) -> str:
    """Give the one id that an organization's settings have: two first ones at once cannot both be stored."""
    return str(uuid5(UUID(tx.org_id), "documentsettings"))
