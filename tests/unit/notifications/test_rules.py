"""Rules: what they may read, and when they are met (semantics §28)."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.calc.errors import CalculationError
from tallystick.notifications.rules import is_met, rule_problems

D = Decimal
FIELDS = {
    "new.amount": "number",
    "new.amountSpent": "number",
    "new.customFields": "object",
    "new.lines": "array",
    "new.name": "string",
    "old.amountSpent": "number",
}
ALMOST_SPENT = (
    "(new.amountSpent >= new.amount*90/100) AND"
    " (old.amountSpent <= old.amount*90/100 OR old.amountSpent == null)"
)

GOLD = {"customFields": {"tier": "gold"}}


def spent(amount: int) -> dict[str, int]:
    return {"amount": 100, "amountSpent": amount}


@pytest.mark.parametrize(
    ("calculation", "new", "old", "met"),
    [
        # a commitment of 100: told when its spending comes to 90 or more from 90 or less
        pytest.param(ALMOST_SPENT, spent(90), spent(80), "yes", id="crosses"),
        pytest.param(ALMOST_SPENT, spent(89), spent(80), "no", id="below"),
        pytest.param(ALMOST_SPENT, spent(95), spent(91), "no", id="was above before"),
        pytest.param(ALMOST_SPENT, spent(95), {}, "yes", id="created almost spent"),
        pytest.param("new.amount > 1", {}, {}, "no", id="null compares as false"),
        pytest.param("null", {}, {}, "no", id="null counts as false"),
        pytest.param("new.customFields.tier == 'gold'", GOLD, {}, "yes", id="inside an object"),
        pytest.param("new.customFields.tier == null", {}, {}, "yes", id="nothing inside nothing"),
        pytest.param("new.active", {"active": True}, {}, "yes", id="a boolean as it is"),
    ],
)
def test_is_met(calculation: str, new: Any, old: Any, met: str) -> None:
    assert is_met(calculation, {"new": new, "old": old}) is (met == "yes")


@pytest.mark.parametrize(
    ("calculation", "said"),
    [
        ("new.amount >", "ends too early"),
        ("new.amunt > 1", "no field new.amunt (line 1, column 1)"),
        ("1 < 2 AND old.amount > 1", "no field old.amount (line 1, column 11)"),
        ("new.lines == 1", "new.lines is an array"),
        ("new.customFields == 1", "new.customFields is an object"),
        ("new.name.first == 'a'", "has none of its own"),
        ("new.amount - 1", "gives a number"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_place(calculation: str, said: str) -> None:
    assert said in " ".join(p.message for p in rule_problems(calculation, "billing.bill.updated", FIELDS))


def test_a_sound_rule_has_no_problem() -> None:
    sound = "new.amount > 1 AND new.customFields.tier == 'gold' AND old.amountSpent == null"
    assert list(rule_problems(sound, "billing.bill.updated", FIELDS)) == []


@pytest.mark.parametrize("calculation", ["new.name", "1 / new.zero > 1", "new.lines == 1"])
def test_what_only_values_tell_fails_when_it_is_evaluated(calculation: str) -> None:
    with pytest.raises(CalculationError):
        is_met(calculation, {"new": {"name": "x", "zero": D(0), "lines": []}})


@given(spent=st.decimals(0, 1000, places=2), before=st.decimals(0, 1000, places=2))
def test_almost_spent_is_told_once_on_the_way_up(spent: D, before: D) -> None:
    states = {
        "new": {"amount": D(1000), "amountSpent": spent},
        "old": {"amount": D(1000), "amountSpent": before},
    }
    assert is_met(ALMOST_SPENT, states) is (spent >= 900 and before <= 900)
