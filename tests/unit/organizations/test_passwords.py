import pytest
from argon2 import PasswordHasher

from tallystick.organizations.passwords import (
    hash_password,
    is_outdated,
    is_password,
    new_password,
    password_problems,
)


def test_a_password_is_its_own_and_no_other() -> None:
    hashed = hash_password("correct horse battery")
    assert hashed.startswith("$argon2id$")
    assert is_password("correct horse battery", hashed)
    assert not is_password("correct horse batterz", hashed)


def test_equal_passwords_have_different_hashes() -> None:
    assert hash_password("correct horse battery") != hash_password("correct horse battery")


def test_one_text_typed_on_two_keyboards_is_one_password() -> None:
    assert is_password("cafe\u0301 au lait doux", hash_password("caf\u00e9 au lait doux"))


@pytest.mark.parametrize("hashed", [None, "", "not a hash"])
def test_nothing_matches_without_a_hash(hashed: str | None) -> None:
    assert not is_password("anything at all", hashed)


def test_a_huge_password_is_cut_before_it_costs_anything_and_matches_nothing() -> None:
    longest = "x" * 200
    assert not is_password(longest + "y" * 10_000_000, hash_password(longest))


def test_weaker_parameters_are_outdated() -> None:
    assert is_outdated(PasswordHasher(time_cost=1, memory_cost=8 * 1024).hash("x"))
    assert not is_outdated(hash_password("x"))


@pytest.mark.parametrize(
    ("password", "problems"), [("x" * 11, 1), ("x" * 12, 0), ("x" * 200, 0), ("x" * 201, 1)]
)
def test_password_problems(password: str, problems: int) -> None:
    assert len(list(password_problems("password", password))) == problems


def test_a_made_up_password_is_long_enough() -> None:
    assert list(password_problems("password", new_password())) == []
