"""Statements of bills: definitions, jobs, files."""

import pytest

from tests.support.world import World


def test_a_definition_is_checked_against_the_stored_meters(world: World) -> None:
    meter = world.meter()
    other = world.meter(code="calls")
    body = {
        "name": "By destination",
        "aggregationFrequency": "DAY",
        "includePricePerUnit": True,
        "dimensions": [{"meterId": meter["id"], "name": "destination", "filter": ["*"]}],
        "measures": [{"meterId": meter["id"], "name": "", "aggregations": ["SUM", "MAX"]}, {"name": "delay"}],
    }
    made = world.post("statementdefinitions", body)
    assert (made["aggregationFrequency"], made["generateSlimStatements"]) == ("DAY", False)

    def refused(**changes: object) -> list[tuple[str, str]]:
        answer = world.post("statementdefinitions", {**body, **changes}, expect=400)
        return [(e["field"], e["code"]) for e in answer["errors"]]

    nowhere = "01939c1e-0000-7000-8000-000000000000"
    assert refused(
        dimensions=[
            {"meterId": other["id"], "name": "planet", "filter": ["*"]},
            {"name": "distance", "attributes": ["nothing"], "filter": ["*"]},
            {"meterId": nowhere, "name": "destination", "filter": ["*"]},
        ],
        measures=[{"name": "destination"}, {"name": "distance", "aggregations": ["CUSTOM_SQL"]}],
    ) == [
        ("measures[1].aggregations", "not_applicable"),
        ("dimensions[0].name", "unknown_field"),
        ("dimensions[1].name", "not_a_dimension"),
        ("dimensions[1].attributes[0]", "unknown_field"),
        ("dimensions[2].meterId", "unknown_reference"),
        ("measures[0].aggregations", "wrong_category"),
    ]
    assert refused(dimensions=[{"name": "destination", "filter": []}]) == [
        ("dimensions[0].filter", "wrong_length")
    ]


@pytest.mark.parametrize("holder", ["accounts", "organizationconfig"])
def test_a_definition_in_use_stays(world: World, holder: str) -> None:
    made = world.post("statementdefinitions", {"aggregationFrequency": "MONTH"})
    if holder == "accounts":
        world.account(statementDefinitionId=made["id"])
    else:
        config = world.get("organizationconfig")
        world.put("organizationconfig", {**config, "defaultStatementDefinitionId": made["id"]})
    assert world.delete(f"statementdefinitions/{made['id']}", expect=400)["code"] == "in_use"
    unknown = "01939c1e-0000-7000-8000-000000000000"
    assert (
        world.call(
            "POST",
            "accounts",
            expect=400,
            body={
                "name": "x",
                "code": "x",
                "emailAddress": "x@example.com",
                "statementDefinitionId": unknown,
            },
        )["errors"][0]["code"]
        == "unknown_reference"
    )
