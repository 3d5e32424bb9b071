"""What may be handed on: nothing that its giver does not hold (semantics §2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.organizations.permissions import (
    ALLOW_EVERYTHING,
    Action,
    Effect,
    Statement,
    added,
    allows,
    exceeding,
    speaks_of,
)

A, B = "11111111-aaaa-4000-8000-000000000001", "11111111-aaaa-4000-8000-000000000002"


def allow(action: str, *resources: str) -> Statement:
    return Statement(effect=Effect.ALLOW, action=[Action(a) for a in action.split()], resource=[*resources])


def deny(action: str, *resources: str) -> Statement:
    return Statement(effect=Effect.DENY, action=[Action(a) for a in action.split()], resource=[*resources])


METERS = allow("config:retrieve", "config:meter/*")


@pytest.mark.parametrize(
    ("own", "handed_on", "allowed"),
    [
        pytest.param([ALLOW_EVERYTHING], [ALLOW_EVERYTHING], True, id="everything by who has it"),
        pytest.param([METERS], [METERS], True, id="the same"),
        pytest.param([METERS], [allow("config:retrieve", "config:meter")], True, id="otherwise written"),
        pytest.param(
            [allow("config:retrieve", "config:meter/item/*")], [METERS], True, id="any item is all of a type"
        ),
        pytest.param([METERS], [allow("config:retrieve", f"config:meter/item/{A}")], True, id="one of them"),
        pytest.param([METERS], [allow("config:retrieve", f"config:meter/group/{A}")], True, id="a group"),
        pytest.param([METERS], [allow("config:update", "config:meter/*")], False, id="another action"),
        pytest.param([METERS], [allow("ALL", "config:meter/*")], False, id="all actions"),
        pytest.param([METERS], [allow("config:retrieve", "config:*")], False, id="more than the type"),
        pytest.param([METERS], [allow("config:retrieve", "*")], False, id="more than the service"),
        pytest.param(
            [allow("config:retrieve", f"config:meter/group/{A}")],
            [METERS],
            False,
            id="a type for a group",
        ),
        pytest.param(
            [allow("config:retrieve", f"config:meter/group/{A}")],
            [allow("config:retrieve", f"config:meter/item/{A}")],
            False,
            id="an item, which may leave the group",
        ),
        pytest.param([METERS], [deny("ALL", "*")], True, id="a deny gives nothing"),
        pytest.param([], [METERS], False, id="nothing held"),
        pytest.param([METERS, deny("ALL", f"config:meter/item/{A}")], [METERS], False, id="one is denied"),
        pytest.param(
            [METERS, deny("ALL", f"config:meter/item/{A}")],
            [allow("config:retrieve", f"config:meter/item/{B}")],
            True,
            id="another than the denied one",
        ),
        pytest.param(
            [METERS, deny("ALL", f"config:meter/group/{A}")],
            [allow("config:retrieve", f"config:meter/item/{B}")],
            False,
            id="it may come into the denied group",
        ),
        pytest.param([METERS, deny("config:delete", "*")], [METERS], True, id="another action is denied"),
    ],
)
def test_what_may_be_handed_on(own: list[Statement], handed_on: list[Statement], *, allowed: bool) -> None:
    assert (not list(exceeding(own, handed_on))) is allowed


def test_all_is_every_action_by_its_name() -> None:
    every = [a for a in Action if a is not Action.ALL]
    spelled = Statement(effect=Effect.ALLOW, action=every, resource=["*"])
    assert not list(exceeding([spelled], [ALLOW_EVERYTHING]))
    short = Statement(effect=Effect.ALLOW, action=every[1:], resource=["*"])
    assert list(exceeding([short], [ALLOW_EVERYTHING])) == [(every[0], "*")]


def test_a_change_gives_new_allows_and_lifted_denies() -> None:
    forbids = deny("config:update", "config:plan/*")
    lifted = allow("config:update", "config:plan/*")
    assert added([METERS, forbids], [METERS]) == [lifted]
    assert added([METERS], [METERS, forbids]) == []
    assert added([], [METERS]) == [METERS]


@pytest.mark.parametrize(
    ("pattern", "speaks"),
    [
        (f"config:meter/group/{A}", True),
        ("config:meter/group/*", True),
        ("config:meter/group", True),
        (f"config:meter/group/{B}", False),
        (f"config:plan/group/{A}", False),
        (f"config:meter/item/{A}", False),
        ("config:meter/*", False),
        ("*", False),
    ],
)
def test_which_statements_speak_of_a_group(pattern: str, *, speaks: bool) -> None:
    assert speaks_of(allow("ALL", pattern), "meter", {A}) is speaks


_PATTERNS = st.sampled_from(
    [
        "*",
        "config:*",
        "config:meter",
        "config:meter/*",
        "config:meter/item/*",
        f"config:meter/item/{A}",
        f"config:meter/item/{B}",
        "config:meter/group/*",
        f"config:meter/group/{A}",
        f"config:meter/group/{B}",
        "config:plan/*",
    ]
)
_ACTIONS = st.sampled_from([Action.ALL, Action.CONFIG_RETRIEVE, Action.CONFIG_UPDATE])
_STATEMENTS = st.lists(
    st.builds(
        Statement,
        effect=st.sampled_from(Effect),
        action=st.lists(_ACTIONS, min_size=1, max_size=2),
        resource=st.lists(_PATTERNS, min_size=1, max_size=2),
    ),
    max_size=4,
)


@given(
    own=_STATEMENTS,
    handed_on=_STATEMENTS,
    action=st.sampled_from([Action.CONFIG_RETRIEVE, Action.CONFIG_UPDATE, Action.CONFIG_DELETE]),
    resource=st.sampled_from([f"config:meter/item/{A}", f"config:meter/item/{B}", "config:plan/item/*"]),
    groups=st.sets(st.sampled_from([A, B])),
)
def test_whoever_gets_it_can_do_nothing_that_its_giver_cannot(
    own: list[Statement], handed_on: list[Statement], action: Action, resource: str, groups: set[str]
) -> None:
    """Whatever groups hold now or later: what passes `exceeding` never lets the receiver do more."""
    if not list(exceeding(own, handed_on)) and allows(handed_on, action, resource, lambda: groups):
        assert allows(own, action, resource, lambda: groups)
