"""What meters (semantics §5), aggregations (§9, §10), plans, pricings and accounts refuse and keep."""

from typing import Any

import pytest

from tests.support.world import World


def codes(answer: Any) -> dict[str, str]:
    """Give the problems of a refusal by field."""
    return {p["field"]: p["code"] for p in answer["errors"]}


# --- meters and aggregations --------------------------------------------------------------------


def test_a_field_that_an_aggregation_reads_stays_and_keeps_its_kind(world: World) -> None:
    meter = world.meter()
    world.aggregation(meter["id"], target="distance")
    fields = [f for f in meter["dataFields"] if f["code"] != "distance"]
    body = {"name": "m", "code": "flights", "derivedFields": [], "version": 1}
    gone = world.put(f"meters/{meter['id']}", {**body, "dataFields": fields}, expect=400)
    assert codes(gone) == {"dataFields": "field_in_use"}
    as_text = [*fields, {"category": "WHAT", "code": "distance", "name": "Distance"}]
    assert codes(world.put(f"meters/{meter['id']}", {**body, "dataFields": as_text}, expect=400)) == {
        "dataFields": "field_in_use"
    }
    without_delay = [f for f in meter["dataFields"] if f["code"] != "delay"]
    assert world.put(f"meters/{meter['id']}", {**body, "dataFields": without_delay})["version"] == 2


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"targetField": "speed"}, {"targetField": "unknown_field"}, id="no such field"),
        pytest.param({"targetField": "destination"}, {"targetField": "wrong_category"}, id="sum of a text"),
        pytest.param({"aggregation": "UNIQUE"}, {"targetField": "wrong_category"}, id="unique numbers"),
        pytest.param({"quantityPerUnit": 0}, {"quantityPerUnit": "out_of_range"}, id="no quantity per unit"),
        pytest.param({"defaultValue": -1}, {"defaultValue": "out_of_range"}, id="negative default"),
        pytest.param({"segmentedFields": ["destination"]}, {"segments": "required"}, id="no segments"),
        pytest.param(
            {"segmentedFields": ["destination"], "segments": [{"origin": "ORD"}]},
            {"segments[0]": "wrong_fields"},
            id="segment of another field",
        ),
        pytest.param(
            {"segmentedFields": ["delay"], "segments": [{"delay": "5"}]},
            {"segmentedFields[0]": "wrong_category"},
            id="segments of a number",
        ),
        pytest.param({"customSql": "SELECT 1"}, {"customSql": "not_applicable"}, id="SQL without CUSTOM_SQL"),
    ],
)
def test_an_aggregation_suits_its_meter(
    world: World, changed: dict[str, Any], expected: dict[str, str]
) -> None:
    meter = world.meter()
    body = {
        "name": "Miles",
        "meterId": meter["id"],
        "aggregation": "SUM",
        "targetField": "distance",
        "rounding": "NONE",
        "quantityPerUnit": 1,
        "unit": "mi",
    }
    assert codes(world.post("aggregations", {**body, **changed}, expect=400)) == expected
    assert world.get("aggregations")["data"] == []


def test_a_segment_that_is_priced_stays(world: World) -> None:
    product = world.product()
    segments = {
        "segmentedFields": ["destination"],
        "segments": [{"destination": "ORD"}, {"destination": "*"}],
    }
    aggregation = world.aggregation(world.meter(product)["id"], **segments)
    plan = world.plan(product)
    assert codes(world.post("pricings", pricing_body(plan["id"], aggregation["id"]), expect=400)) == {
        "segment": "required"
    }
    unknown = {**pricing_body(plan["id"], aggregation["id"]), "segment": {"destination": "DFW"}}
    assert codes(world.post("pricings", unknown, expect=400)) == {"segment": "unknown_segment"}
    world.pricing(plan["id"], aggregation["id"], (0, 0, 1), segment={"destination": "ORD"})
    changed = {k: v for k, v in aggregation.items() if k != "id"} | {"segments": [{"destination": "*"}]}
    answer = world.put(f"aggregations/{aggregation['id']}", changed, expect=400)
    assert codes(answer) == {"segments": "segment_in_use"}


def test_segments_are_of_dimensions(world: World) -> None:
    """METADATA is not for segmentation (semantics §5); text that is derived is (§10)."""
    derived = {"category": "WHAT", "code": "far", "name": "Far", "calculation": "distance > 9 ? 'y' : 'n'"}
    note = {"category": "METADATA", "code": "note", "name": "Note"}
    meter = world.meter(derivedFields=[derived])
    fields = {"dataFields": [*meter["dataFields"], note]}
    meter = world.put(f"meters/{meter['id']}", meter | fields)
    cut: dict[str, Any] = {"segmentedFields": ["far"], "segments": [{"far": "y"}]}
    aggregation = world.aggregation(meter["id"], **cut)
    world.aggregation(meter["id"], "UNIQUE", "note")  # distinct values of METADATA, or of any text (§9)
    world.aggregation(meter["id"], "COUNT", "far")
    metadata = {"segmentedFields": ["note"], "segments": [{"note": "*"}]}
    refused = world.put(f"aggregations/{aggregation['id']}", aggregation | metadata, expect=400)
    assert codes(refused) == {"segmentedFields[0]": "wrong_category"}
    now = {"derivedFields": [derived | {"category": "METADATA"}]}
    assert codes(world.put(f"meters/{meter['id']}", meter | now, expect=400)) == {
        "dataFields": "field_in_use"
    }
    now = {"derivedFields": [derived | {"category": "WHERE"}]}
    assert world.put(f"meters/{meter['id']}", meter | now)["version"] == 3


def test_what_is_priced_whole_is_not_cut_into_segments(world: World) -> None:
    product = world.product()
    aggregation = world.aggregation(world.meter(product)["id"])
    world.pricing(world.plan(product)["id"], aggregation["id"], (0, 0, 1))
    cut = {"segmentedFields": ["destination"], "segments": [{"destination": "*"}]}
    answer = world.put(f"aggregations/{aggregation['id']}", aggregation | cut, expect=400)
    assert codes(answer) == {"segments": "segment_in_use"}
    assert world.delete(f"aggregations/{aggregation['id']}", expect=400)["code"] == "in_use"


def test_a_field_that_sql_reads_stays_and_keeps_its_kind(world: World) -> None:
    meter = world.meter()
    sql = "SELECT sum(delay) AS late FROM measurements WHERE delay > 15"
    world.aggregation(meter["id"], "CUSTOM_SQL", customSql=sql)
    without = {"dataFields": [f for f in meter["dataFields"] if f["code"] != "delay"]}
    assert codes(world.put(f"meters/{meter['id']}", meter | without, expect=400)) == {
        "dataFields": "field_in_use"
    }
    as_text = {"dataFields": [*without["dataFields"], {"category": "OTHER", "code": "delay", "name": "D"}]}
    assert codes(world.put(f"meters/{meter['id']}", meter | as_text, expect=400)) == {
        "dataFields": "field_in_use"
    }
    unread = {"dataFields": [f for f in meter["dataFields"] if f["code"] != "destination"]}
    assert world.put(f"meters/{meter['id']}", meter | unread)["version"] == 2


# --- products ------------------------------------------------------------------------------------


def test_a_products_usage_is_priced_on_its_plans_only(world: World) -> None:
    air, rail = world.product(), world.product("rail")
    plan = world.plan(rail)["id"]
    of_air = world.aggregation(world.meter(air)["id"])
    assert codes(world.post("pricings", pricing_body(plan, of_air["id"]), expect=400)) == {
        "aggregationId": "wrong_product"
    }
    on_template = pricing_body(plan, of_air["id"]) | {
        "planTemplateId": world.get("plantemplates")["data"][0]["id"]
    }
    del on_template["planId"]
    assert codes(world.post("pricings", on_template, expect=400)) == {"aggregationId": "wrong_product"}
    terms = {"name": "T", "currency": "USD", "billFrequency": "MONTHLY", "standingCharge": 0}
    template = world.post("plantemplates", terms | {"productId": air})
    template = world.put(f"plantemplates/{template['id']}", template | {"productId": rail})
    template = world.put(f"plantemplates/{template['id']}", template | {"productId": air})
    world.post("pricings", on_template | {"planTemplateId": template["id"]})
    moved = world.put(f"plantemplates/{template['id']}", template | {"productId": rail}, expect=400)
    assert codes(moved) == {"productId": "in_use"}


def test_what_other_products_plans_price_does_not_move_to_a_product(world: World) -> None:
    air, rail = world.product(), world.product("rail")
    plan = world.plan(rail)["id"]
    band = {"lowerLimit": 0, "fixedPrice": 0, "unitPrice": 1}
    price = {"planId": plan, "startDate": "2024-01-01T00:00:00Z", "pricingBands": [band]}
    meter = world.meter()
    aggregation = world.aggregation(meter["id"], code="miles")
    compound = world.post("compoundaggregations", compound_body())
    counter = world.post("counters", {"name": "Seats", "unit": "seat"})
    world.post("pricings", price | {"aggregationId": aggregation["id"]})
    world.post("pricings", price | {"compoundAggregationId": compound["id"]})
    world.post("counterpricings", price | {"counterId": counter["id"]})
    of_air = world.meter(air, "air")["id"]
    for path, body, field, kept in (
        (f"meters/{meter['id']}", meter, "productId", rail),
        (f"compoundaggregations/{compound['id']}", compound_body() | {"version": 1}, "productId", rail),
        (f"counters/{counter['id']}", counter, "productId", rail),
        (f"aggregations/{aggregation['id']}", aggregation, "meterId", world.meter(rail, "rail")["id"]),
    ):
        moved = {field: of_air if field == "meterId" else air}
        assert codes(world.put(path, body | moved, expect=400)) == {field: "wrong_product"}, path
        assert world.put(path, body | {field: kept})[field] == kept


def compound_body() -> dict[str, Any]:
    units = {"rounding": "NONE", "quantityPerUnit": 1, "unit": "mi"}
    return {"name": "Twice", "calculation": "2 * aggregation.miles", **units}


# --- plans and pricings -------------------------------------------------------------------------


def pricing_body(plan_id: str, aggregation_id: str) -> dict[str, Any]:
    band = {"lowerLimit": 0, "fixedPrice": 0, "unitPrice": 1}
    return {
        "planId": plan_id,
        "aggregationId": aggregation_id,
        "startDate": "2024-01-01T00:00:00Z",
        "pricingBands": [band],
    }


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"planId": None}, {"planId": "exactly_one"}, id="neither plan nor template"),
        pytest.param({"aggregationId": None}, {"aggregationId": "exactly_one"}, id="nothing to price"),
        pytest.param(
            {"endDate": "2024-01-01T00:00:00Z"}, {"endDate": "ends_before_start"}, id="ends where it starts"
        ),
        pytest.param({"pricingBands": []}, {"pricingBands": "wrong_length"}, id="no band"),
        pytest.param(
            {"pricingBands": [{"lowerLimit": 1, "fixedPrice": 0, "unitPrice": 1}]},
            {"pricingBands[0].lowerLimit": "first_band_not_at_zero"},
            id="first band above zero",
        ),
        pytest.param(
            {
                "pricingBands": [
                    {"lowerLimit": 0, "fixedPrice": 0, "unitPrice": 1},
                    {"lowerLimit": 0, "fixedPrice": 0, "unitPrice": 2},
                ]
            },
            {"pricingBands[1].lowerLimit": "bands_not_ascending"},
            id="bands that do not rise",
        ),
        pytest.param(
            {"overagePricingBands": [{"lowerLimit": 0, "fixedPrice": 0, "unitPrice": 1}]},
            {"overagePricingBands": "not_applicable"},
            id="overage without tiers",
        ),
        pytest.param(
            {
                "cumulative": True,
                "tiersSpanPlan": True,
                "overagePricingBands": [{"lowerLimit": 0, "fixedPrice": 0, "unitPrice": 1}],
            },
            {"overagePricingBands": "not_applicable"},
            id="overage of tiers that span the plan",
        ),
        pytest.param({"startDate": None}, {"startDate": "required"}, id="no start"),
        pytest.param(
            {"pricingBands": [{"lowerLimit": -1, "fixedPrice": 0, "unitPrice": 1}]},
            {"pricingBands[0].lowerLimit": "out_of_range"},
            id="a limit below zero",
        ),
        pytest.param(
            {
                "type": "PRODUCT_CREDIT",
                "pricingBands": [{"lowerLimit": 0, "fixedPrice": -1, "unitPrice": 1}],
            },
            {"pricingBands[0].fixedPrice": "out_of_range"},
            id="a credit that charges",
        ),
        pytest.param({"minimumSpend": -1}, {"minimumSpend": "out_of_range"}, id="negative minimum"),
    ],
)
def test_a_pricing_is_whole(world: World, changed: dict[str, Any], expected: dict[str, str]) -> None:
    """Semantics §14."""
    product = world.product()
    aggregation = world.aggregation(world.meter(product)["id"])
    body = pricing_body(world.plan(product)["id"], aggregation["id"]) | changed
    assert codes(world.post("pricings", body, expect=400)) == expected


def test_two_prices_never_hold_at_once(world: World) -> None:
    """Several follow each other. Unless told, a debit, not cumulative, anew each period (semantics §14)."""
    product = world.product()
    aggregation = world.aggregation(world.meter(product)["id"])
    body = pricing_body(world.plan(product)["id"], aggregation["id"])
    world.post("pricings", {**body, "endDate": "2024-07-01T00:00:00Z"})
    overlapping = {**body, "startDate": "2024-06-30T23:59:59Z"}
    assert codes(world.post("pricings", overlapping, expect=400)) == {"startDate": "overlapping_pricing"}
    following = world.post("pricings", {**body, "startDate": "2024-07-01T00:00:00Z"})
    assert (following["cumulative"], following["tiersSpanPlan"], following["type"]) == (False, False, "DEBIT")
    assert following["pricingBands"][0]["id"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param(
            {"billFrequency": "MIXED"}, {"billFrequency": "unknown_value"}, id="MIXED describes a bill"
        ),
        pytest.param({"currency": "EUR"}, {"currency": "unknown_currency"}, id="no such currency"),
        pytest.param({"currency": "usd"}, {"currency": "unknown_currency"}, id="case matters"),
        pytest.param({"standingCharge": -1}, {"standingCharge": "out_of_range"}, id="negative charge"),
        pytest.param(
            {
                "billFrequencyInterval": 366,
                "standingChargeInterval": 0,
                "standingChargeOffset": 365,
                "minimumSpend": -1,
            },
            dict.fromkeys(
                ("billFrequencyInterval", "standingChargeInterval", "standingChargeOffset", "minimumSpend"),
                "out_of_range",
            ),
            id="intervals and offset",
        ),
    ],
)
def test_a_plan_template_can_be_billed(
    world: World, changed: dict[str, Any], expected: dict[str, str]
) -> None:
    """Semantics §13; a plan's frequency is one of §4 that has periods, or AD_HOC."""
    body = {
        "name": "T",
        "productId": world.product(),
        "currency": "USD",
        "billFrequency": "MONTHLY",
        "standingCharge": 0,
    }
    assert codes(world.post("plantemplates", {**body, **changed}, expect=400)) == expected


def test_a_plan_takes_its_product_from_the_template_and_stays_with_it(world: World) -> None:
    """Semantics §13."""
    product = world.product()
    plan = world.plan(product)
    assert (plan["productId"], plan["bespoke"]) == (product, False)
    other = world.post(
        "plantemplates",
        {"name": "O", "productId": product, "currency": "USD", "billFrequency": "DAILY", "standingCharge": 0},
    )
    body = {"name": "Pro", "code": "pro", "planTemplateId": other["id"], "version": 1}
    assert codes(world.put(f"plans/{plan['id']}", body, expect=400)) == {"planTemplateId": "immutable"}


# --- accounts and their plans -------------------------------------------------------------------


def test_a_hierarchy_has_two_levels(world: World) -> None:
    """Semantics §17: no parent of a parent, no child of a child, no parent of itself."""
    top = world.account("top")
    child = world.account("child", parentAccountId=top["id"])
    body = {"name": "x", "code": "x", "emailAddress": "x@example.com"}
    deep = world.post("accounts", {**body, "parentAccountId": child["id"]}, expect=400)
    assert codes(deep) == {"parentAccountId": "hierarchy_too_deep"}
    other = world.account("other")
    moved = {"name": "top", "code": "top", "emailAddress": "x@example.com", "version": 1}
    answer = world.put(f"accounts/{top['id']}", {**moved, "parentAccountId": other["id"]}, expect=400)
    assert codes(answer) == {"parentAccountId": "hierarchy_too_deep"}
    own = world.put(f"accounts/{top['id']}", {**moved, "parentAccountId": top["id"]}, expect=400)
    assert codes(own) == {"parentAccountId": "hierarchy_too_deep"}
    assert [a["code"] for a in world.get(f"accounts/{top['id']}/children")["data"]] == ["child"]
    assert world.delete(f"accounts/{top['id']}", expect=400)["code"] == "in_use"


def test_one_plan_of_a_product_at_a_time_unless_overlap_is_allowed(world: World) -> None:
    """Semantics §13."""
    product = world.product()
    account, plan = world.account()["id"], world.plan(product)["id"]
    world.attach(account, plan, "2024-01-01", "2024-07-01")
    body = {"accountId": account, "planId": plan, "startDate": "2024-06-30T00:00:00Z"}
    assert codes(world.post("accountplans", body, expect=400)) == {"startDate": "overlapping_plan"}
    assert world.attach(account, plan, "2024-07-01")["productId"] == product
    config = world.get("organizationconfig")
    world.put("organizationconfig", {**config, "allowOverlappingPlans": True})
    world.post("accountplans", body)
    assert codes(world.post("accountplans", {**body, "planId": None}, expect=400)) == {
        "planId": "exactly_one"
    }
    both = {**body, "planGroupId": world.post("plangroups", {"name": "G", "currency": "USD"})["id"]}
    assert codes(world.post("accountplans", both, expect=400)) == {"planGroupId": "exactly_one"}
    empty = {**body, "endDate": body["startDate"]}
    assert codes(world.post("accountplans", empty, expect=400)) == {"endDate": "ends_before_start"}
    assert world.delete(f"accounts/{account}", expect=400)["code"] == "in_use"


def test_a_bespoke_plan_goes_to_its_own_account_only(world: World) -> None:
    """It is made for the account, and is neither re-pointed nor made bespoke later (semantics §13)."""
    product = world.product()
    mine, other = world.account("mine")["id"], world.account("other")["id"]
    template = world.get(f"plans/{world.plan(product)['id']}")["planTemplateId"]
    body = {"name": "B", "code": "b", "planTemplateId": template, "accountId": mine}
    bespoke = world.post("plans", body)
    assert bespoke["bespoke"] is True
    attach = {"accountId": other, "planId": bespoke["id"], "startDate": "2024-01-01T00:00:00Z"}
    assert codes(world.post("accountplans", attach, expect=400)) == {"planId": "bespoke_plan"}
    moved = world.put(f"plans/{bespoke['id']}", {**body, "accountId": other, "version": 1}, expect=400)
    assert codes(moved) == {"accountId": "immutable"}
    assert codes(world.post("plans", {**body, "code": "c", "bespoke": False}, expect=400)) == {
        "bespoke": "not_applicable"
    }
    common = world.post("plans", {"name": "C", "code": "common", "planTemplateId": template})
    world.attach(other, common["id"], "2024-01-01")
    late = {**body, "code": "common", "version": 1}
    assert codes(world.put(f"plans/{common['id']}", late, expect=400)) == {"accountId": "immutable"}


def test_replacing_a_plan_ends_the_old_one_where_the_new_one_starts(world: World) -> None:
    """Semantics §13."""
    product = world.product()
    account = world.account()["id"]
    old = world.attach(account, world.plan(product, "basic")["id"], "2024-01-01")
    new = {
        "accountId": account,
        "planId": world.plan(product, "pro")["id"],
        "startDate": "2024-03-10T00:00:00Z",
    }
    replaced = world.post(f"accountplans/{old['id']}/replace", new)
    assert replaced["originalAccountPlan"]["endDate"] == replaced["newAccountPlan"]["startDate"]
    assert replaced["originalAccountPlan"]["version"] == 2
    again = world.post(
        f"accountplans/{old['id']}/replace", {**new, "startDate": "2023-01-01T00:00:00Z"}, expect=400
    )
    assert codes(again) == {"startDate": "out_of_range"}


def test_end_dating_ends_what_is_active_and_names_what_is_not(world: World) -> None:
    """Semantics §13."""
    product = world.product()
    account, child = world.account("top"), None
    child = world.account("child", parentAccountId=account["id"])
    active = world.attach(account["id"], world.plan(product)["id"], "2024-01-01")
    later = world.attach(child["id"], world.plan(product, "other")["id"], "2025-01-01")
    answer = world.put(
        f"accounts/{account['id']}/enddatebillingentities",
        {"endDate": "2024-09-01T00:00:00Z", "billingEntities": ["ACCOUNTPLAN"], "applyToChildren": True},
    )
    assert answer["updatedEntities"] == {"ACCOUNTPLAN": [active["id"]]}
    assert answer["failedEntities"] == {"ACCOUNTPLAN": [later["id"]]}
    assert world.get(f"accountplans/{active['id']}")["endDate"] == "2024-09-01T00:00:00Z"


def test_account_plans_are_listed_while_active_unless_asked_wider(world: World) -> None:
    product = world.product()
    account = world.account()["id"]
    plan = world.plan(product)["id"]
    past = world.attach(account, plan, "2024-01-01", "2024-07-01")["id"]
    now = world.attach(account, plan, "2025-01-01")["id"]

    def listed(**params: str) -> set[str]:
        return {p["id"] for p in world.get("accountplans", account=account, **params)["data"]}

    assert listed() == {now}
    assert listed(includeall="true") == {past, now}
    assert listed(date="2024-06-30") == {past}
    assert listed(date="2024-07-01") == set()
    assert listed(ids=past) == {past}
    assert world.get("accountplans", date="soon", expect=400)["errors"][0]["field"] == "date"


# --- configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"timezone": "Mars/Base"}, {"timezone": "unknown_timezone"}, id="no such zone"),
        pytest.param({"currency": "XXX"}, {"currency": "unknown_currency"}, id="no such currency"),
        pytest.param({"scheduledBillInterval": 5}, {"scheduledBillInterval": "unknown_value"}, id="5 hours"),
        pytest.param(
            {"scheduledBillOffset": 3}, {"scheduledBillOffset": "not_applicable"}, id="offset alone"
        ),
        pytest.param(
            {"autoApproveBillsGracePeriod": 2}, {"autoApproveBillsGracePeriodUnit": "required"}, id="no unit"
        ),
        pytest.param({"daysBeforeBillDue": 0}, {"daysBeforeBillDue": "out_of_range"}, id="due at once"),
        pytest.param({"externalInvoiceDate": "NEVER"}, {"externalInvoiceDate": "unknown_value"}, id="enum"),
        pytest.param({"timezone": None}, {"timezone": "required"}, id="missing field"),
    ],
)
def test_the_configuration_is_checked(
    world: World, changed: dict[str, Any], expected: dict[str, str]
) -> None:
    config = world.get("organizationconfig")
    assert codes(world.put("organizationconfig", {**config, **changed}, expect=400)) == expected
    assert world.get("organizationconfig") == config


def test_currencies_have_a_code_and_the_one_in_use_stays(world: World) -> None:
    """Two places and HALF_UP unless told, 0 to 5 places (semantics §25)."""
    euro = world.post("picklists/currency", {"name": "EUR"})
    assert (euro["code"], euro["maxDecimalPlaces"], euro["roundingMode"]) == ("EUR", 2, "HALF_UP")
    token = {"name": "Tokens", "code": "TOKENS", "maxDecimalPlaces": 5, "roundingMode": "FLOOR"}
    assert world.post("picklists/currency", token)["maxDecimalPlaces"] == 5
    refused = {"name": "X", "maxDecimalPlaces": 6, "roundingMode": "NEAREST"}
    assert codes(world.post("picklists/currency", refused, expect=400)) == {
        "maxDecimalPlaces": "out_of_range",
        "roundingMode": "unknown_value",
    }
    assert codes(world.post("picklists/currency", {"name": "a b"}, expect=400)) == {"code": "required"}
    renamed = {"name": "Euro", "version": 1}
    assert world.put(f"picklists/currency/{euro['id']}", renamed)["code"] == "EUR"
    recoded = {"name": "Euro", "code": "euro", "version": 2}
    assert codes(world.put(f"picklists/currency/{euro['id']}", recoded, expect=400)) == {"code": "immutable"}
    usd = next(c for c in world.get("picklists/currency")["data"] if c["code"] == "USD")
    assert world.delete(f"picklists/currency/{usd['id']}", expect=400)["code"] == "not_deletable"


def test_what_is_archived_stays_and_is_not_chosen_any_more(world: World) -> None:
    """Currencies and grouping keys; reasons and transaction types have their own tests (semantics §24)."""
    euro = world.post("picklists/currency", {"name": "EUR"})
    key = world.post("picklists/billgroupingkeys", {"name": "own", "exclusive": True})
    product = world.product()
    old = world.account("old", currency="EUR")
    days = {"startDate": "2024-01-01", "endDate": "2025-01-01"}
    frame = {"accountId": old["id"], "name": "Old", "billGroupingKeyId": key["id"], **days}
    contract = world.post("contracts", frame)
    world.put(f"picklists/currency/{euro['id']}", {**euro, "archived": True})
    world.put(f"picklists/billgroupingkeys/{key['id']}", {**key, "archived": True})
    assert world.put(f"accounts/{old['id']}", {**old, "name": "Older"})["currency"] == "EUR"
    assert world.put(f"contracts/{contract['id']}", {**contract, "name": "Older"})["version"] == 2
    new = {"name": "new", "code": "new", "emailAddress": "new@example.com", "currency": "EUR"}
    config = {**world.get("organizationconfig"), "currency": "EUR"}
    charges = {"productId": product, "name": "T", "billFrequency": "MONTHLY", "standingCharge": 0}
    archived = {"currency": "archived"}
    assert codes(world.post("accounts", new, expect=400)) == archived
    assert codes(world.put("organizationconfig", config, expect=400)) == archived
    assert codes(world.post("plantemplates", {**charges, "currency": "EUR"}, expect=400)) == archived
    assert codes(world.post("plangroups", {"name": "G", "currency": "EUR"}, expect=400)) == archived
    promised = {"accountId": old["id"], "amount": 1, "currency": "EUR", **days}
    assert codes(world.post("commitments", promised, expect=400)) == archived
    again = {**frame, "name": "New"}
    assert codes(world.post("contracts", again, expect=400)) == {"billGroupingKeyId": "archived"}


def test_custom_field_defaults_are_replaced_whole(world: World) -> None:
    before = world.get("customfields")
    after = world.put(
        "customfields", {"version": before["version"], "account": {"tier": "gold", "discount": 0.1}}
    )
    assert (after["account"]["tier"], after["version"]) == ("gold", before["version"] + 1)
    many = {f"f{i}": i for i in range(26)}
    assert codes(world.put("customfields", {"version": 2, "plan": many}, expect=400)) == {
        "plan": "wrong_length"
    }
