"""Conventions of the API that hold for many resources, asked of what they declare (semantics §1, §27)."""

from typing import Any

import pytest

from tallystick.api.openapi import document
from tallystick.platform.resources import resources
from tallystick.platform.resources.fields import IDENTIFIER_PATTERN
from tallystick.platform.resources.wire import InvalidBody, read

WITH_CUSTOM_FIELDS = {
    "Account",
    "AccountPlan",
    "Aggregation",
    "CompoundAggregation",
    "Contract",
    "Meter",
    "Plan",
    "PlanGroup",
    "PlanTemplate",
    "Product",
}
IDENTIFIERS = {"Currency", "CreditReason", "DebitReason", "TransactionType", "Aggregation"}


@pytest.fixture(scope="module")
def requests() -> dict[str, Any]:
    """Give the properties of each resource's request body, as the OpenAPI document has them."""
    schemas = document()["components"]["schemas"]
    return {name: schema.get("properties", {}) for name, schema in schemas.items()}


@pytest.mark.parametrize("name", sorted(WITH_CUSTOM_FIELDS))
def test_custom_fields_that_an_update_leaves_out_are_cleared(name: str) -> None:
    """§1: an update replaces the whole, custom fields too; §27: 100 of them at most."""
    declared = next(each for each in resources() if each.cls.__name__ == name)
    field = next(each for each in declared.fields if each.wire_name == "customFields")
    assert (field.hidden, field.computed) == (False, False)  # what is hidden is kept by an update
    found: dict[str, list[str]] = {}
    for many in (0, 100, 101):
        try:
            read({"customFields": {f"f{i}": i for i in range(many)}}, declared.request_type)
        except InvalidBody as error:
            found[str(many)] = [p.code for p in error.problems if p.field == "customFields"]
    assert found.get("100", []) == found.get("0", []) == []
    assert found["101"] == ["wrong_length"]


def test_an_organization_gives_defaults_to_ten_types_25_each(requests: dict[str, Any]) -> None:
    """§27: not to plan groups, balances and their schedules, whose fields no calculation can name."""
    owners = "organization product planTemplate plan meter account accountPlan aggregation"
    assert set(requests["CustomFieldRequest"]) == {
        *("version", "compoundAggregation", "contract"),
        *owners.split(),
    }
    declared = next(each for each in resources() if each.cls.__name__ == "CustomField")
    for owner in set(requests["CustomFieldRequest"]) - {"version"}:
        read({owner: {f"f{i}": i for i in range(25)}}, declared.request_type)
        with pytest.raises(InvalidBody):
            read({owner: {f"f{i}": i for i in range(26)}}, declared.request_type)


@pytest.mark.parametrize(
    ("request_type", "field", "most"),
    [
        ("PermissionPolicyRequest", "name", 100),
        ("ResourceGroupRequest", "name", 100),
        ("ProductRequest", "name", 200),
        ("AccountRequest", "name", 200),
        ("ContractRequest", "name", 200),
        ("ContractRequest", "description", 500),
        ("ContractRequest", "purchaseOrderNumber", 100),
        ("AccountRequest", "purchaseOrderNumber", 100),
        ("AccountRequest", "code", 80),
        ("ProductRequest", "code", 80),
        ("MeterRequest", "code", 80),
        ("CurrencyRequest", "code", 80),
        ("PlanTemplateRequest", "standingChargeDescription", 200),
        ("PlanTemplateRequest", "minimumSpendDescription", 200),
        ("PlanRequest", "standingChargeDescription", 200),
        ("PricingRequest", "minimumSpendDescription", 200),
        ("CommitmentRequest", "commitmentFeeDescription", 200),
        ("CommitmentRequest", "commitmentUsageDescription", 200),
    ],
)
def test_texts_are_no_longer_than_the_section_says(
    requests: dict[str, Any], request_type: str, field: str, most: int
) -> None:
    schema = requests[request_type][field]
    limits = {part.get("maxLength") for part in schema.get("anyOf", [schema])}
    assert most in limits, schema


@pytest.mark.parametrize("name", sorted(IDENTIFIERS))
def test_codes_that_calculations_name_are_identifiers(requests: dict[str, Any], name: str) -> None:
    schema = requests[f"{name}Request"]["code"]
    assert IDENTIFIER_PATTERN in {part.get("pattern") for part in schema.get("anyOf", [schema])}
