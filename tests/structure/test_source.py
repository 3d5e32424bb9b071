"""The rules hold for every file."""

from collections.abc import Callable, Iterator

import pytest

from tests.structure import rules
from tests.structure.source import TOP, Source, package_sources, sources_of_tests

COPIED = {"tests/contract/check_openapi.py"}

PACKAGE_RULES = [
    rules.pure_does_no_io,
    rules.money_is_decimal,
    rules.money_divides_in_one_place,
    rules.wall_clock_in_one_place,
    rules.domains_catch_what_they_answer,
]
RULES_FOR_ALL = [rules.sizes, rules.opt_outs_have_reasons]


@pytest.mark.parametrize("rule", [*PACKAGE_RULES, *RULES_FOR_ALL])
def test_package(rule: Callable[[Source], Iterator[str]]) -> None:
    findings = [line for source in package_sources() for line in rule(source)]
    assert not findings, "\n" + "\n".join(findings)


@pytest.mark.parametrize("rule", RULES_FOR_ALL)
def test_tests(rule: Callable[[Source], Iterator[str]]) -> None:
    own = [source for source in sources_of_tests() if source.place not in COPIED]
    findings = [line for source in own for line in rule(source)]
    assert not findings, "\n" + "\n".join(findings)


def test_rules_switched_off_say_why() -> None:
    findings = list(rules.config_opt_outs_have_reasons((TOP / "pyproject.toml").read_text("utf-8")))
    assert not findings, "\n" + "\n".join(findings)
