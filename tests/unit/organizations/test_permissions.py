"""Permission statements: what they cover, allow and deny (semantics §2)."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.organizations.errors import PermissionDenied
from tallystick.organizations.permissions import (
    ALLOW_EVERYTHING,
    MOST_RESOURCES,
    Action,
    Effect,
    Statement,
    allows,
    statement_problems,
)
from tallystick.organizations.principal import Principal, PrincipalKind, require

METER = "11111111-aaaa-4000-8000-000000000001"


def statement(effect: str, action: str, *resources: str) -> Statement:
    return msgspec.convert({"effect": effect, "action": action.split(), "resource": resources}, Statement)


@pytest.mark.parametrize(
    ("pattern", "asked", "covered"),
    [
        pytest.param("*", f"config:meter/item/{METER}", True, id="a star covers everything"),
        pytest.param("config:*", f"config:meter/item/{METER}", True, id="a service covers its types"),
        pytest.param("analytics:*", f"config:meter/item/{METER}", False, id="another service does not"),
        pytest.param("config:meter/*", f"config:meter/item/{METER}", True, id="the documented form"),
        pytest.param("config:meter/*", "config:meter/item/*", True, id="a type covers its list and create"),
        pytest.param("config:meter", f"config:meter/item/{METER}", True, id="a type without a slash"),
        pytest.param("config:meter", "config:meter", True, id="a type asked for itself"),
        pytest.param("config:meter/*", "config:metergroup/item/*", False, id="a star is a whole segment"),
        pytest.param("config:meter/item/*", f"config:meter/item/{METER}", True, id="any item"),
        pytest.param(f"config:meter/item/{METER}", f"config:meter/item/{METER}", True, id="this item"),
        pytest.param(f"config:meter/item/{METER}", "config:meter/item/other", False, id="not another item"),
        pytest.param(
            f"config:meter/item/{METER}", "config:meter/item/*", False, id="an item is not its type"
        ),
        pytest.param("config:meter/group/*", f"config:meter/item/{METER}", False, id="a group is no item"),
        pytest.param("config:AnalyticsJob", "config:analyticsjob/item/*", True, id="letter case"),
    ],
)
def test_what_a_pattern_covers(pattern: str, asked: str, *, covered: bool) -> None:
    assert allows([statement("allow", "config:retrieve", pattern)], "config:retrieve", asked) is covered


ALLOW_METERS = statement("allow", "config:create config:retrieve", "config:meter/*")
DENY_ONE = statement("deny", "config:retrieve", f"config:meter/item/{METER}")
DENY_ALL_ACTIONS = statement("DENY", "ALL", "config:meter/*")


@pytest.mark.parametrize(
    ("statements", "action", "resource", "allowed"),
    [
        pytest.param([], "config:retrieve", "config:meter/item/*", False, id="nothing said is denied"),
        pytest.param([ALLOW_METERS], "config:create", "config:meter/item/*", True, id="allowed"),
        pytest.param([ALLOW_METERS], "config:delete", "config:meter/item/*", False, id="another action"),
        pytest.param([ALLOW_METERS], "CONFIG_CREATE", "config:meter/item/*", True, id="asked by enum name"),
        pytest.param(
            [DENY_ONE, ALLOW_METERS], "config:retrieve", f"config:meter/item/{METER}", False, id="deny first"
        ),
        pytest.param(
            [ALLOW_METERS, DENY_ONE], "config:retrieve", f"config:meter/item/{METER}", False, id="deny last"
        ),
        pytest.param([ALLOW_METERS, DENY_ONE], "config:retrieve", "config:meter/item/b", True, id="the rest"),
        pytest.param(
            [ALLOW_METERS, DENY_ONE], "config:retrieve", "config:meter/item/*", True, id="one denied, listed"
        ),
        pytest.param(
            [ALLOW_EVERYTHING, DENY_ALL_ACTIONS], "config:update", "config:meter/item/b", False, id="deny ALL"
        ),
        pytest.param(
            [ALLOW_EVERYTHING, DENY_ALL_ACTIONS], "config:update", "config:plan/item/b", True, id="elsewhere"
        ),
        pytest.param([ALLOW_EVERYTHING], "audit:retrieve", "audit:log", True, id="everything"),
    ],
)
def test_allows(statements: list[Statement], action: str, resource: str, *, allowed: bool) -> None:
    assert allows(statements, action, resource) is allowed


@pytest.mark.parametrize(
    ("given_name", "action"),
    [
        ("config:create", Action.CONFIG_CREATE),
        ("CONFIG_CREATE", Action.CONFIG_CREATE),
        ("marketplaceUsage:create", Action.MARKETPLACE_USAGE_CREATE),
        ("measurements:fileupload", Action.MEASUREMENTS_FILEUPLOAD),
        ("*", Action.ALL),
        ("all", Action.ALL),
    ],
)
def test_both_spellings_of_an_action_are_read_and_the_contracts_is_written(
    given_name: str, action: Action
) -> None:
    read = msgspec.convert({"effect": "allow", "action": [given_name], "resource": ["*"]}, Statement)
    assert read == Statement(effect=Effect.ALLOW, action=[action], resource=["*"])
    assert msgspec.to_builtins(read)["action"] == [action.name]


@pytest.mark.parametrize(
    "wrong", [{"effect": "perhaps"}, {"action": ["config:fly"]}, {"action": []}, {"resource": []}]
)
def test_a_statement_of_other_words_is_refused(wrong: dict[str, object]) -> None:
    right = {"effect": "deny", "action": ["config:create"], "resource": ["*"]}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**right, **wrong}, Statement)


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", True),
        ("config:*", True),
        ("config:meter/*", True),
        ("config:plan/group/987", True),
        ("analytics:usage", True),
        ("meter", False),
        ("config:", False),
        ("config:met*", False),
        ("config:meter/thing/1", False),
        ("config:meter/item/1/2", False),
        ("config:meter/item/1\n", False),
        ("", False),
    ],
)
def test_statement_problems(pattern: str, *, fits: bool) -> None:
    found = list(statement_problems("permissionPolicy", [statement("allow", "ALL", "*", pattern)]))
    assert [p.field for p in found] == ([] if fits else ["permissionPolicy[0].resource[1]"])


def test_a_policy_is_no_longer_than_each_request_can_look_through() -> None:
    fits = [statement("allow", "config:create", *["config:meter/*"] * (MOST_RESOURCES // 2))] * 2
    assert not list(statement_problems("p", fits))
    for longer, field in (
        ([*fits, statement("deny", "ALL", "*")], "p"),
        ([statement("allow", "config:create " * 20, "*")], "p[0].action"),
    ):
        assert [(p.field, p.code) for p in statement_problems("p", longer)] == [(field, "wrong_length")]


_patterns = st.sampled_from(["*", "config:*", "config:meter/*", "config:plan/item/1", "config:meter/item/2"])
_statements = st.builds(
    statement,
    st.sampled_from(["allow", "deny"]),
    st.sampled_from(["config:create", "config:retrieve", "ALL"]),
    _patterns,
)


@given(st.lists(_statements), _statements, st.sampled_from(["config:plan/item/1", "config:meter/item/*"]))
def test_another_deny_never_allows_more_and_another_allow_never_less(
    statements: list[Statement], more: Statement, asked: str
) -> None:
    before, after = (allows(s, "config:create", asked) for s in (statements, [*statements, more]))
    if more.effect is Effect.DENY:
        assert after <= before
    else:
        assert after >= before


def test_require_names_what_is_missing() -> None:
    reader = Principal("p", "o", PrincipalKind.USER, "ada", (statement("allow", "config:retrieve", "*"),))
    require(reader, "config:retrieve", "config:meter/item/*")
    with pytest.raises(PermissionDenied, match="config:create on config:meter/item/"):
        require(reader, "config:create", "config:meter/item/*")
