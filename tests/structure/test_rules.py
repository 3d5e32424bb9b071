"""Each rule finds what it forbids, and leaves what it allows alone."""

from collections.abc import Callable, Iterator

import pytest

from tests.structure import rules
from tests.structure.source import Source

Rule = Callable[[Source], Iterator[str]]

BAD = [
    (rules.pure_does_no_io, "rating/x.py", "import os\n", "imports os"),
    (rules.pure_does_no_io, "kernel/x.py", "from pathlib import Path\n", "imports pathlib"),
    (rules.pure_does_no_io, "calc/x.py", "import sqlalchemy as sa\n", "imports sqlalchemy"),
    (rules.pure_does_no_io, "rating/x.py", "def f():\n    import random\n", "imports random"),
    (rules.pure_does_no_io, "billing/calculate.py", "open('bill')\n", "calls open()"),
    (rules.pure_does_no_io, "billing/calculate/lines.py", "print(1)\n", "calls print()"),
    (rules.pure_does_no_io, "rating/x.py", "import uuid\nuuid.uuid4()\n", "uses uuid.uuid4"),
    (rules.pure_does_no_io, "rating/x.py", "def f(clock):\n    return clock.now()\n", "asks for the time"),
    (
        rules.pure_does_no_io,
        "rating/x.py",
        "from datetime import date\ndate.today()\n",
        "uses datetime.date.today",
    ),
    (rules.money_is_decimal, "pricing/x.py", "price = 0.1\n", 'write Decimal("0.1")'),
    (rules.money_is_decimal, "billing/x.py", "def f(total: float) -> None: ...\n", "the type float"),
    (rules.money_is_decimal, "balances/x.py", "float('1')\n", "the type float"),
    (rules.money_divides_in_one_place, "rating/x.py", "a / b\n", "decimals.divide"),
    (rules.money_divides_in_one_place, "rating/x.py", "a /= b\n", "decimals.divide"),
    (rules.money_divides_in_one_place, "billing/x.py", "round(a, 2)\n", "decimals.round_to"),
    (rules.money_divides_in_one_place, "billing/x.py", "a.quantize(b)\n", "decimals.round_to"),
    (
        rules.money_divides_in_one_place,
        "calc/x.py",
        "import decimal\ndecimal.getcontext()\n",
        "context is set in",
    ),
    (rules.wall_clock_in_one_place, "api/x.py", "import datetime as dt\ndt.datetime.now(dt.UTC)\n", "Clock"),
    (
        rules.wall_clock_in_one_place,
        "usage/x.py",
        "from datetime import datetime\ndatetime.utcnow()\n",
        "Clock",
    ),
    (rules.wall_clock_in_one_place, "usage/x.py", "from time import time as t\nt()\n", "Clock"),
    (rules.wall_clock_in_one_place, "usage/x.py", "import time\nstamp = time.time_ns\n", "Clock"),
    (rules.sizes, "api/x.py", "def f():\n" + "    1\n" * 70, "f has 71 lines"),
    (rules.sizes, "api/x.py", "1\n" * 801, "801 lines"),
    (
        rules.domains_catch_what_they_answer,
        "usage/x.py",
        "try: ...\nexcept Exception: ...\n",
        "catches Exception",
    ),
    (rules.domains_catch_what_they_answer, "usage/x.py", "try: ...\nexcept: ...\n", "catches everything"),
    (
        rules.domains_catch_what_they_answer,
        "billing/x.py",
        "try: ...\nexcept (ValueError, BaseException): ...\n",
        "catches (ValueError, BaseException)",
    ),
    (rules.opt_outs_have_reasons, "api/x.py", "x = 1  # " + "noqa: E501\n", "without a reason"),
    (rules.opt_outs_have_reasons, "api/x.py", "x = 1  # " + "noqa\n", "without a reason"),
]

GOOD = [
    (
        rules.pure_does_no_io,
        "rating/x.py",
        "import msgspec\nfrom decimal import Decimal\nimport tallystick.kernel\n",
    ),
    (rules.pure_does_no_io, "usage/x.py", "import os\nopen('a')\n"),
    (rules.pure_does_no_io, "billing/service.py", "import os\n"),
    (rules.money_is_decimal, "platform/x.py", "timeout_s: float = 0.5\n"),
    (rules.money_is_decimal, "rating/x.py", "a = Decimal('0.1') + 1\n"),
    (rules.money_divides_in_one_place, "kernel/decimals.py", "a / b\nround(a)\n"),
    (rules.money_divides_in_one_place, "rating/x.py", "divide(a, b)\nround_to(a, 2, mode)\n"),
    (rules.wall_clock_in_one_place, "platform/clock.py", "import time\ntime.time()\n"),
    (
        rules.wall_clock_in_one_place,
        "usage/x.py",
        "import time\ntime.monotonic()\ntime.perf_counter()\nclock.now()\n",
    ),
    (
        rules.wall_clock_in_one_place,
        "usage/x.py",
        "from datetime import datetime\ndatetime.fromisoformat('x')\n",
    ),
    (rules.sizes, "api/x.py", "def f():\n" + "    1\n" * 69),
    (rules.sizes, "migrations/versions/x.py", "def upgrade():\n" + "    1\n" * 900),
    (
        rules.domains_catch_what_they_answer,
        "usage/x.py",
        "try: ...\nexcept (ValueError, UsageException): ...\n",
    ),
    (
        rules.domains_catch_what_they_answer,
        "usage/x.py",
        "try: ...\nexcept BaseException:\n    undo()\n    raise\n",
    ),
    (
        rules.domains_catch_what_they_answer,
        "usage/x.py",
        "try: ...\nexcept BaseException as error:\n    answer.set_exception(error)\n",
    ),
    (rules.domains_catch_what_they_answer, "worker/x.py", "try: ...\nexcept Exception: ...\n"),
    (rules.opt_outs_have_reasons, "api/x.py", "x = 1  # " + "noqa: S105, E501 - a name, no secret\n"),
]


@pytest.mark.parametrize(("rule", "place", "text", "says"), BAD)
def test_finds_what_it_forbids(rule: Rule, place: str, text: str, says: str) -> None:
    found = list(rule(Source(place, text)))
    assert found
    assert all(line.startswith(place) for line in found)
    assert any(says in line for line in found), found


@pytest.mark.parametrize(("rule", "place", "text"), GOOD)
def test_leaves_alone_what_it_allows(rule: Rule, place: str, text: str) -> None:
    assert list(rule(Source(place, text))) == []


def test_finds_a_rule_switched_off_without_a_reason() -> None:
    section = '[tool.ruff.lint]\nignore = [\n    "D203",\n    "D105",  # magic methods are known\n]\n'
    assert len(list(rules.config_opt_outs_have_reasons(section))) == 1
    assert len(list(rules.config_opt_outs_have_reasons('[tool.ruff.lint]\n"tests/**" = ["T201"]\n'))) == 1
