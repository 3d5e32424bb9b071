"""Policies, groups and support access, through the API: what is given is allowed, no more (semantics §2)."""

from collections.abc import Iterator

import pytest

from tallystick.organizations.service import set_support_user
from tests.support.people import ALL, allow, caller, deny, join, policy
from tests.support.world import Api, World

READ_METERS = allow("config:retrieve", "config:meter/*")


@pytest.fixture
def nobody(world: World) -> Iterator[Api]:
    """Give a service user that may do nothing yet."""
    made = caller(world)
    yield made
    made.close()


def give(world: Api, policy_id: str, to: str, principal_id: str, *, expect: int = 200) -> None:
    path = f"permissionpolicies/{policy_id}/addto{to}"
    answer = world.post(path, {"principalId": principal_id}, expect=expect)
    if expect == 200:
        assert answer["principalId"] == principal_id


def test_a_policy_counts_at_once_and_no_longer_when_taken(world: World, nobody: Api) -> None:
    service_user = nobody.service_user_id  # type: ignore[attr-defined]
    reader = policy(world, READ_METERS)
    assert nobody.get("meters", expect=403)["code"] == "permission_denied"
    give(world, reader, "serviceuser", service_user)
    give(world, reader, "serviceuser", service_user)  # again: the same
    assert nobody.get("meters")["data"] == []
    body = {"name": "now products", "permissionPolicy": [allow("config:retrieve", "config:product/*")]}
    world.put(f"permissionpolicies/{reader}", {**body, "version": 1})
    nobody.get("meters", expect=403)
    nobody.get("products")
    world.delete(f"permissionpolicies/{reader}", expect=400)  # in use
    world.post(f"permissionpolicies/{reader}/removefromserviceuser", {"principalId": service_user})
    nobody.get("products", expect=403)
    world.post(
        f"permissionpolicies/{reader}/removefromserviceuser", {"principalId": service_user}, expect=404
    )
    world.delete(f"permissionpolicies/{reader}")


def test_statements_are_taken_in_both_spellings_and_answered_as_declared(world: World) -> None:
    lower = {"effect": "allow", "action": ["config:create", "marketplaceUsage:create"], "resource": ["*"]}
    made = world.post("permissionpolicies", {"name": "p", "permissionPolicy": [lower]})
    assert made["permissionPolicy"] == [
        {"effect": "ALLOW", "action": ["CONFIG_CREATE", "MARKETPLACE_USAGE_CREATE"], "resource": ["*"]}
    ]
    wrong = {"effect": "maybe", "action": ["config:fly"], "resource": ["meters!"]}
    refused = world.post("permissionpolicies", {"name": "p", "permissionPolicy": [wrong]}, expect=400)
    assert {problem["field"] for problem in refused["errors"]} == {
        "permissionPolicy[0].effect",
        "permissionPolicy[0].action[0]",
    }


def test_managed_policies_come_with_the_organization_and_never_change(world: World, nobody: Api) -> None:
    managed = {each["name"]: each for each in world.get("permissionpolicies")["data"]}
    assert set(managed) == {"Administrator", "Everything but access", "Read only", "Send usage"}
    assert all(each["managedPolicy"] for each in managed.values())
    read_only = managed["Read only"]
    body = {"name": "mine", "permissionPolicy": [ALL], "version": 1}
    assert world.put(f"permissionpolicies/{read_only['id']}", body, expect=400)["code"] == "managed_policy"
    assert world.delete(f"permissionpolicies/{read_only['id']}", expect=400)["code"] == "managed_policy"
    give(world, managed["Everything but access"]["id"], "serviceuser", nobody.service_user_id)  # type: ignore[attr-defined]
    nobody.product()
    nobody.post("serviceusers", {"name": "x"}, expect=403)
    assert nobody.get("users/me")["serviceUser"]["name"] == "caller"


def test_a_user_has_what_their_groups_and_the_groups_around_those_have(world: World) -> None:
    ada = join(world, "ada@groups.example")
    me = ada.get("users/me")["user"]
    inner, outer = (world.post("resourcegroups/user", {"name": name})["id"] for name in ("inner", "outer"))
    world.post(f"resourcegroups/user/{outer}/addresource", {"targetId": inner, "targetType": "GROUP"})
    ada.get("meters", expect=403)
    give(world, policy(world, READ_METERS), "usergroup", outer)
    item = {"targetId": me["id"], "targetType": "item"}
    world.post(f"resourcegroups/user/{inner}/addresource", item)
    ada.get("meters")
    ids = {each["id"] for each in world.get(f"users/{me['id']}/usergroups")["data"]}
    nested = {each["id"] for each in world.get(f"users/{me['id']}/usergroups", inherited="true")["data"]}
    assert (ids, nested) == ({inner}, {inner, outer})
    assert len(world.get(f"users/{me['id']}/permissions")["data"]) == 1
    assert world.get(f"users/{me['id']}/permissions", inherited="false")["data"] == []
    assert len(world.get(f"resourcegroups/user/{inner}/permissions", inherited="true")["data"]) == 1
    assert world.get(f"resourcegroups/user/{inner}/permissions")["data"] == []
    contents = world.post(f"resourcegroups/user/{inner}/contents")["data"]
    assert [(each["targetId"], each["targetType"]) for each in contents] == [(me["id"], "ITEM")]
    world.post(f"resourcegroups/user/{inner}/removeresource", item)
    ada.get("meters", expect=403)
    ada.close()


def test_groups_never_hold_themselves_nor_what_is_not_of_their_type(world: World) -> None:
    a, b, c = (world.post("resourcegroups/meter", {"name": name})["id"] for name in "abc")
    for outer, inner in ((a, b), (b, c)):
        world.post(f"resourcegroups/meter/{outer}/addresource", {"targetId": inner, "targetType": "GROUP"})
    for outer, inner in ((c, a), (a, a), (c, b)):
        body = {"targetId": inner, "targetType": "GROUP"}
        refused = world.post(f"resourcegroups/meter/{outer}/addresource", body, expect=400)
        assert refused["errors"][0]["code"] == "circular"
    plan_group = world.post("resourcegroups/plan", {"name": "plans"})["id"]
    for target in ({"targetId": plan_group, "targetType": "GROUP"}, {"targetId": a, "targetType": "ITEM"}):
        refused = world.post(f"resourcegroups/meter/{a}/addresource", target, expect=400)
        assert refused["errors"][0]["code"] == "unknown_reference"
    world.get(f"resourcegroups/plan/{a}", expect=404)
    assert world.get("resourcegroups/dragon", expect=400)["code"] == "unknown_group_type"
    world.delete(f"resourcegroups/meter/{b}")
    assert world.post(f"resourcegroups/meter/{a}/contents")["data"] == []


def test_statements_about_a_group_follow_what_the_group_holds(world: World) -> None:
    seen, hidden = (world.meter(code=code)["id"] for code in ("seen", "hidden"))
    outer, inner = (world.post("resourcegroups/meter", {"name": name})["id"] for name in ("outer", "inner"))
    world.post(f"resourcegroups/meter/{outer}/addresource", {"targetId": inner, "targetType": "GROUP"})
    world.post(f"resourcegroups/meter/{inner}/addresource", {"targetId": seen, "targetType": "ITEM"})
    reader = caller(world, allow("config:retrieve", f"config:meter/group/{outer}"))
    assert reader.get(f"meters/{seen}")["id"] == seen
    reader.get(f"meters/{hidden}", expect=403)
    reader.get("meters", expect=403)
    world.post(f"resourcegroups/meter/{inner}/removeresource", {"targetId": seen, "targetType": "ITEM"})
    reader.get(f"meters/{seen}", expect=403)
    refused = world.delete(f"resourcegroups/meter/{outer}", expect=400)  # a statement names it
    assert refused["errors"][0]["code"] == "in_use"
    all_but = caller(
        world, allow("config:retrieve", "config:meter/*"), deny("ALL", f"config:meter/group/{outer}")
    )
    all_but.get(f"meters/{seen}")
    world.post(f"resourcegroups/meter/{outer}/addresource", {"targetId": seen, "targetType": "ITEM"})
    assert all_but.get(f"meters/{seen}", expect=403)["code"] == "permission_denied"
    assert all_but.get(f"meters/{seen.upper()}", expect=403)["code"] == "permission_denied"
    assert [each["id"] for each in all_but.get("meters")["data"]] == [hidden]
    assert all_but.get("meters", ids=seen)["data"] == []
    reader.close()
    all_but.close()


MANAGE = allow(
    "config:create config:update config:retrieve config:delete",
    *(f"config:{each}/*" for each in ("permissionpolicy", "serviceuser", "accesskey", "resourcegroup")),
    "config:invitation/*",
    "config:support/*",
    "config:user/*",
)


def test_nobody_gives_more_than_they_have(world: World) -> None:
    """The ways to more: a policy, its change, its assignment, a key, a group, an invitation, support."""
    meter = world.meter()["id"]
    strong = caller(world, ALL, name="strong")
    strong_id = strong.service_user_id  # type: ignore[attr-defined]
    everything = policy(world, ALL, name="everything")
    group = world.post("resourcegroups/user", {"name": "admins"})["id"]
    give(world, everything, "usergroup", group)
    meters = world.post("resourcegroups/meter", {"name": "meters"})["id"]
    lever = caller(world, MANAGE, allow("config:delete", f"config:meter/group/{meters}"), name="lever")
    limited = caller(world, MANAGE, READ_METERS, deny("ALL", f"config:meter/item/{meter}"))
    me = limited.service_user_id  # type: ignore[attr-defined]
    mine = limited.post("permissionpolicies", {"name": "mine", "permissionPolicy": [MANAGE]})["id"]
    user = join(world, "more@have.example").get("users/me")["user"]
    all_of_it = {"permissionPolicy": [ALL]}
    read = {"permissionPolicy": [READ_METERS]}
    in_future = "2099-01-01T00:00:00Z"
    item = {"targetId": user["id"], "targetType": "ITEM"}
    attempts = [
        ("post", "permissionpolicies", {"name": "x", **all_of_it}),
        ("post", "permissionpolicies", {"name": "x", **read}),  # one of the meters is denied to them
        ("put", f"permissionpolicies/{mine}", {"name": "x", "version": 1, **all_of_it}),
        ("post", f"permissionpolicies/{everything}/addtoserviceuser", {"principalId": me}),
        ("post", f"permissionpolicies/{everything}/addtouser", {"principalId": user["id"]}),
        ("post", f"permissionpolicies/{everything}/addtousergroup", {"principalId": group}),
        ("post", f"permissionpolicies/{everything}/addtosupportusers", {}),
        ("post", "serviceusers", {"name": "x", **all_of_it}),
        (
            "put",
            f"serviceusers/{strong_id}",
            {"name": "x", "version": 1, "permissionPolicy": [ALL, READ_METERS]},
        ),
        ("post", f"serviceusers/{strong_id}/accesskeys", {}),
        ("put", f"users/{user['id']}", {"version": user["version"], **all_of_it}),
        ("post", f"resourcegroups/user/{group}/addresource", item),
        (
            "post",
            "invitations",
            {"firstName": "E", "lastName": "E", "email": "e@e.example", "permissionPolicyIds": [everything]},
        ),
        (
            "put",
            "support",
            {"dtEndSupportUsersAccess": in_future, "supportUsersPermissionPolicy": [ALL]},
        ),
    ]
    for method, path, body in attempts:
        refused = getattr(limited, method)(path, body, expect=403)
        assert refused["code"] == "more_than_you_have", path
    into = {"targetId": meter, "targetType": "ITEM"}
    refused = limited.post(f"resourcegroups/meter/{meters}/addresource", into, expect=403)
    assert refused["code"] == "more_than_you_have"  # `lever` could then delete it
    assert lever.delete(f"meters/{meter}", expect=403)["code"] == "permission_denied"
    limited.post("permissionpolicies", {"name": "fine", "permissionPolicy": [MANAGE]})
    for each in (strong, lever, limited):
        each.close()


def test_lifting_a_deny_is_giving(world: World) -> None:
    meter = world.meter()["id"]
    forbids = policy(world, deny("ALL", "config:meter/*"), name="forbids")
    held = caller(world, ALL, name="held")
    held_id = held.service_user_id  # type: ignore[attr-defined]
    give(world, forbids, "serviceuser", held_id)
    manager = caller(world, MANAGE, name="manager")
    body = {"principalId": held_id}
    for method, path, sent in (
        ("post", f"permissionpolicies/{forbids}/removefromserviceuser", body),
        ("put", f"permissionpolicies/{forbids}", {"name": "x", "version": 1, "permissionPolicy": [MANAGE]}),
    ):
        refused = getattr(manager, method)(path, sent, expect=403)
        assert refused["code"] == "more_than_you_have"
    held.get(f"meters/{meter}", expect=403)
    own = held.post(f"permissionpolicies/{forbids}/removefromserviceuser", body, expect=403)
    assert own["code"] == "own_access"
    for each in (held, manager):
        each.close()


def test_nobody_ends_their_own_access_and_an_end_counts(world: World) -> None:
    everything = policy(world, ALL)
    ada, bob = (join(world, f"{name}@end.example", everything) for name in ("ada", "bob"))
    me, other = (each.get("users/me")["user"] for each in (ada, bob))
    body = {"version": me["version"], "dtEndAccess": "2025-06-01T00:00:00Z"}
    assert ada.put(f"users/{me['id']}", body, expect=403)["code"] == "own_access"
    bob.get("meters")
    ended = ada.put(f"users/{other['id']}", {**body, "version": other["version"]})
    assert ended["dtEndAccess"] == body["dtEndAccess"]
    assert bob.get("meters", expect=403)["code"] == "unauthenticated"
    ada.put(f"users/{other['id']}", {"version": ended["version"], "dtEndAccess": "2025-06-01T01:00:00Z"})
    bob.get("meters")
    world.at("2025-06-01T01:00:00")
    assert bob.get("meters", expect=403)["code"] == "unauthenticated"
    for each in (ada, bob):
        each.close()


def test_a_deny_of_one_bill_holds_for_its_lines_and_for_many_at_once(world: World) -> None:
    plan = world.plan(world.product(), standingCharge=10)["id"]
    for code in ("acme", "other"):
        world.attach(world.account(code)["id"], plan, "2025-05-01")
    period = {"billingFrequency": "MONTHLY", "lastDateInBillingPeriod": "2025-05-31"}
    bill, other = (each["id"] for each in world.run_bills(**period))
    reader = caller(world, ALL, deny("ALL", f"config:bill/item/{bill}"))
    line = world.get(f"bills/{bill}/lineitems")["data"][0]["id"]
    for path in (
        f"bills/{bill}",
        f"bills/{bill}/lineitems",
        f"bills/{bill}/lineitems/{line}",
        f"bills/{bill.replace('-', '')}/lineitems/{line}",
        f"bills/{bill.upper()}/lineitems/{line}/explanation",
        f"bills/{bill}/lineitems/usage/json",
    ):
        assert reader.call("GET", path, expect=404 if bill not in path.lower() else 403)
    refused = reader.post("bills/approve", {"billIds": [bill]}, expect=403)
    assert refused["code"] == "permission_denied"
    assert reader.get(f"bills/{other}/lineitems")["data"]
    for path in ("bills", "bills/search", "bills/billingperiod/2025-05-31/MONTHLY"):
        assert [each["id"] for each in reader.get(path)["data"]] == [other]
    assert {each["billId"] for each in reader.get("lineitems")["data"]} == {other}
    assert reader.get("lineitems", billId=bill)["data"] == []
    for word in ("credit", "debit"):
        reader.get(f"bills/{bill}/{word}lineitems", expect=403)
        reader.delete(f"bills/{bill}/{word}lineitems/{bill}", expect=403)
        assert reader.get(f"bills/{other}/{word}lineitems")["data"] == []
    job = world.post("statementjobs", {"billId": bill})["id"]
    for path in ("statementjobs", "statementjobs/batch"):
        reader.post(path, {"billId": bill, "billIds": [other, bill]}, expect=403)
    reader.post(f"bills/{bill}/statement/csv", expect=403)
    reader.get(f"statementjobs/{job}", expect=403)
    reader.post(f"statementjobs/{job}/cancel", expect=403)
    assert reader.get("statementjobs")["data"] == []
    reader.post("statementjobs", {"billId": other})
    of_account = world.get(f"bills/{bill}")["accountId"]
    assert reader.get(f"bills/accountid/{of_account}")["data"] == []
    reader.get(f"bills/latest/{of_account}", expect=404)
    span = {"startDate": "2025-05-01T00:00:00Z", "endDate": "2025-06-01T00:00:00Z"}
    reader.post("bills/download/csv/url", span, expect=403)
    world.post("bills/download/csv/url", span)
    only = caller(world, allow("config:retrieve", f"config:bill/item/{other}"))
    assert only.get(f"bills/{other}/lineitems")["data"]
    only.get(f"bills/{bill}/lineitems", expect=403)
    for each in (reader, only):
        each.close()


def test_an_export_holds_only_what_its_maker_may_read_and_export(world: World) -> None:
    """Semantics §2: `config:export`, `measurements:export`, `exports:download` are actions of their own."""
    account, plan = world.account()["id"], world.plan(world.product())["id"]
    jobs = allow(
        "config:create config:retrieve config:update", "config:exportjob/*", "config:exportschedule/*"
    )
    usage = {"sourceType": "USAGE", "startDate": "2025-05-01T00:00:00Z", "endDate": "2025-06-01T00:00:00Z"}
    schedule = {"name": "n", "code": "n", "scheduleType": "DAY", "period": 1, "sourceType": "OPERATIONAL"}

    def of(*types: str) -> dict[str, object]:
        return {"sourceType": "OPERATIONAL", "operationalDataTypes": list(types)}

    clerk = caller(world, jobs)
    reader = caller(world, jobs, allow("config:retrieve measurements:retrieve", "*"), name="reader")
    exporter = caller(
        world,
        jobs,
        allow("config:retrieve config:export measurements:retrieve measurements:export", "*"),
        deny("config:retrieve", f"config:account/item/{account}"),
        deny("config:export", "config:lineitem/*", f"config:plan/item/{plan}"),
        deny("ALL", f"config:bill/item/{account}"),
        name="exporter",
    )
    for each in (clerk, reader):
        for body in (usage, of("METERS")):
            assert each.post("dataexports/adhoc", body, expect=403)["code"] == "permission_denied"
    for kind in ("ACCOUNTS", "PLANS", "BILLS", "BILL_LINE_ITEMS"):
        exporter.post("dataexports/adhoc", of("METERS", kind), expect=403)
        exporter.post("dataexports/schedules", {**schedule, **of(kind)}, expect=403)
    made = exporter.post("dataexports/schedules", {**schedule, **of("METERS")})
    changed = {**schedule, **of("ACCOUNTS"), "version": made["version"]}
    exporter.put(f"dataexports/schedules/{made['id']}", changed, expect=403)
    exporter.put(f"dataexports/schedules/{made['id']}", {**changed, **of("PRICING")})
    job = exporter.post("dataexports/adhoc", usage)["jobId"]
    exporter.get(f"dataexports/jobs/{job}")
    exporter.get(f"dataexports/jobs/{job}/getdownloadurl", expect=403)
    for each in (clerk, reader, exporter):
        each.close()


def test_what_changes_things_of_other_types_asks_for_those(world: World) -> None:
    """Semantics §2: ending what an account is billed for changes plans, contracts, commitments and prices."""
    plan = world.plan(world.product())["id"]
    account = world.account()["id"]
    attached = world.attach(account, plan, "2025-01-01")["id"]
    path = f"accounts/{account}/enddatebillingentities"
    clerk = caller(
        world,
        allow("config:update", "config:account/*", "config:accountplan/*", "config:commitment/*"),
        deny("config:update", f"config:commitment/item/{account}"),
    )
    ends = {"endDate": "2025-07-01T00:00:00Z"}
    for word in ("CONTRACT", "PREPAYMENT", "PRICINGS", "COUNTER_PRICINGS"):
        refused = clerk.put(path, {**ends, "billingEntities": ["ACCOUNTPLAN", word]}, expect=403)
        assert refused["code"] == "permission_denied"
    assert "endDate" not in world.get(f"accountplans/{attached}")
    body = {"accountId": account, "planId": plan, "startDate": "2025-06-01T00:00:00Z"}
    clerk.post(f"accountplans/{attached}/replace", {**body, "version": 1}, expect=403)
    clerk.put(path, {**ends, "billingEntities": ["ACCOUNTPLAN"]})
    assert world.get(f"accountplans/{attached}")["endDate"] == ends["endDate"]
    clerk.close()


def test_policies_for_the_original_let_people_use_the_data_explorer(world: World) -> None:
    """Semantics §2: create and retrieve on `config:analyticsJob`, and retrieve on `analytics:usage`."""
    documented = (
        allow("config:create config:retrieve", "config:analyticsJob/*"),
        allow("config:retrieve", "analytics:usage/*"),
    )
    ask = {"startDate": "2025-05-01T00:00:00Z", "endDate": "2025-06-01T00:00:00Z"}
    cases = (
        (documented, 200),
        ((allow("analytics:query", "analytics:usage"),), 200),
        (documented[:1], 403),
        ((*documented, deny("analytics:query", "*")), 403),
    )
    for statements, status in cases:
        asking = caller(world, *statements)
        asking.post("usage/query", ask, expect=status)
        asking.post("dataexplorer/bills", {}, expect=403)
        asking.close()


def test_support_users_leave_nothing_behind_that_lasts_longer_than_they_do(world: World) -> None:
    operator = World(world.live)
    helper = join(operator, "stay@operator.example", policy(operator, ALL))
    helper_id = helper.get("users/me")["user"]["id"]
    with world.live.platform.database.transaction(operator.org_id) as tx:
        set_support_user(tx, helper_id, is_support=True)
    helper.org_id = world.org_id
    until = {"dtEndSupportUsersAccess": "2025-06-01T02:00:00Z", "supportUsersPermissionPolicy": [ALL]}
    grant = world.put("support", until)
    longer = {**until, "dtEndSupportUsersAccess": "2030-01-01T00:00:00Z", "version": grant["version"]}
    assert helper.put("support", longer, expect=403)["code"] == "own_access"
    service_user = world.get("serviceusers")["data"][0]["id"]
    invited = {"firstName": "A", "lastName": "B", "email": "back@door.example"}
    administrator = next(
        each["id"] for each in world.get("permissionpolicies")["data"] if each["name"] == "Administrator"
    )
    for path, body in (
        (f"serviceusers/{service_user}/accesskeys", None),
        ("serviceusers", {"name": "back door", "permissionPolicy": [ALL]}),
        ("invitations", {**invited, "permissionPolicyIds": [administrator]}),
    ):
        assert helper.post(path, body, expect=403)["code"] == "more_than_you_have"
    helper.product()
    for each in (operator, helper):
        each.close()


def test_support_users_come_in_only_as_long_and_as_far_as_they_are_let(world: World) -> None:
    operator = World(world.live)
    helper = join(operator, "help@operator.example", policy(operator, ALL))
    helper.org_id = world.org_id
    grant = {
        "dtEndSupportUsersAccess": "2025-06-01T02:00:00Z",
        "supportUsersPermissionPolicy": [READ_METERS],
    }
    assert world.get("support", expect=404)
    world.put("support", grant)
    assert helper.get("meters", expect=403)["code"] == "wrong_organization"  # nobody's support user
    users = operator.get("users")["data"]
    helper_id = next(each["id"] for each in users if each["email"] == "help@operator.example")
    with world.live.platform.database.transaction(operator.org_id) as tx:
        set_support_user(tx, helper_id, is_support=True)
    helper.get("meters")
    assert helper.get("products", expect=403)["code"] == "permission_denied"
    more = policy(world, allow("config:retrieve", "config:product/*"))
    assert world.post(f"permissionpolicies/{more}/addtosupportusers")["principalType"] == "SUPPORTUSERS"
    helper.get("products")
    world.post(f"permissionpolicies/{more}/removefromsupportusers")
    helper.get("products", expect=403)
    assert helper.get("users/me")["user"]["supportUser"] is True
    world.live.clock.instant = world.live.clock.now().replace(hour=2)
    assert helper.get("meters", expect=403)["code"] == "wrong_organization"
    helper.org_id = operator.org_id
    helper.get("meters")
    for each in (operator, helper):
        each.close()
