import pytest

from tallystick.kernel import errors
from tallystick.kernel.errors import InvariantBroken, TallystickError, invariant
from tallystick.kernel.problems import Problem

KINDS = [
    errors.Invalid,
    errors.Forbidden,
    errors.NotFound,
    errors.Conflict,
    errors.TooLarge,
    errors.TooMany,
    errors.Unavailable,
]


def test_an_error_carries_its_message_problems_and_facts() -> None:
    fault = Problem("bands[1].lowerLimit", "not_ascending", "Higher, please.")
    error = errors.Invalid("No.", problems=iter([fault]), pricing_id="p-1")
    assert (str(error), error.message, error.problems) == ("No.", "No.", (fault,))
    assert error.facts == {"pricing_id": "p-1"}


def test_each_kind_has_its_own_code_and_is_not_another_kind() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert [other for other in KINDS if issubclass(kind, other)] == [kind]
        assert issubclass(kind, TallystickError)


def test_an_invariant_that_holds_says_nothing() -> None:
    invariant(1 + 1 == 2, "arithmetic broke")


def test_a_broken_invariant_is_a_bug_not_a_refusal() -> None:
    with pytest.raises(InvariantBroken, match="arithmetic broke") as caught:
        invariant(1 + 1 == 3, "arithmetic broke")
    assert not isinstance(caught.value, TallystickError)
