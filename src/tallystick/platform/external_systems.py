"""The other systems that the original API names as destinations."""

from enum import StrEnum


class ExternalSystem(StrEnum):
    """Where something goes to; some are only known by name (semantics §29)."""

    WEBHOOK = "WEBHOOK"
    NETSUITE = "NETSUITE"
    STRIPE = "STRIPE"
    STRIPE_TEST = "STRIPE_TEST"
    AWS = "AWS"
    PADDLE = "PADDLE"
    PADDLE_SANDBOX = "PADDLE_SANDBOX"
    SALESFORCE = "SALESFORCE"
    XERO = "XERO"
    CHARGEBEE = "CHARGEBEE"
    QUICKBOOKS = "QUICKBOOKS"
    QUICKBOOKS_SANDBOX = "QUICKBOOKS_SANDBOX"
    M3TER = "M3TER"
