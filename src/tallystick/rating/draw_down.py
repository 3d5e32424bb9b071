"""Draw charges down from commitments and balances, in order, to the cent (semantics §18, §19)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise, product

import msgspec

from tallystick.kernel.decimals import ONE, ZERO, RoundingMode, allocate, divide, round_to
from tallystick.kernel.errors import invariant
from tallystick.kernel.periods import DateSpan
from tallystick.rating.bands import BandCharge


class Pot(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to draw on, in a currency of its own.

    places: of its currency. rate: one unit of it in the billing currency. is_endless: it may go below zero.
    """

    id: str
    left: Decimal
    places: int
    rate: Decimal = ONE
    is_endless: bool = False


class Fund(msgspec.Struct, frozen=True, kw_only=True):
    """A pot for some local days: a commitment, a balance, or what of a balance rolls over.

    most: what may be drawn by this fund alone, in the pot's currency; None is all that the pot has.
    """

    id: str
    pot: str
    days: DateSpan
    most: Decimal | None = None


class Coverable(msgspec.Struct, frozen=True, kw_only=True):
    """A charge that may be covered. amount: > 0, billing currency, rounded. days: what it is charged for.

    funds: ids of the funds that may cover it.
    """

    key: str
    amount: Decimal
    days: DateSpan
    funds: frozenset[str]


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """What a fund covers of a charge: in billing currency, and as drawn in the pot's."""

    key: str
    fund: str
    amount: Decimal
    drawn: Decimal


class Uncovered(msgspec.Struct, frozen=True):
    """What is left of a charge that these funds, in their order, were there for: they were exhausted."""

    key: str
    amount: Decimal
    funds: tuple[str, ...]


class DrawDown(msgspec.Struct, frozen=True):
    """What is covered, and what went beyond."""

    covers: tuple[Cover, ...]
    uncovered: tuple[Uncovered, ...]


class _Piece(msgspec.Struct):
    """A part of a charge, for days on which the same funds are there for it."""

    key: str
    funds: frozenset[str]
    left: Decimal


def draw_down(
    charges: Iterable[Coverable], funds: Sequence[Fund], pots: Mapping[str, Pot], places: int
) -> DrawDown:
    """Cover charges, each by the funds that are there for it, as far as they go.

    One fund after the other, in the order given, each through the charges in the order given; so the one that
    comes first is used up first. What may go below zero does so last, for what no fund has covered.
    A fund covers a charge only for its own days: the charge is cut by local days, the parts sum to it.
    places: of the billing currency.
    Every amount covered is in whole cents; in the pot's currency, too, so that what is drawn sums.
    Rule: semantics §18, §19.
    """
    by_id = {fund.id: fund for fund in funds}
    pieces = [piece for charge in charges for piece in _pieces(charge, by_id, places)]
    spent = _Spent()
    covers: dict[tuple[str, str], Cover] = {}
    for is_below_zero, fund in product((False, True), funds):
        pot = pots[fund.pot]
        limit = _limit(fund, pot, spent, is_below_zero=is_below_zero)
        for cover in _covers(fund, pot, limit, pieces, places):
            before = covers.get((cover.key, cover.fund))
            covers[cover.key, cover.fund] = cover if before is None else _sum(before, cover)
            spent.of_pot[pot.id] += cover.drawn
            spent.of_fund[fund.id] += cover.drawn
    order = {fund.id: i for i, fund in enumerate(funds)}
    return DrawDown(tuple(covers.values()), tuple(_uncovered(pieces, order)))


def _sum(one: Cover, other: Cover) -> Cover:
    return Cover(key=one.key, fund=one.fund, amount=one.amount + other.amount, drawn=one.drawn + other.drawn)


def _pieces(charge: Coverable, funds: Mapping[str, Fund], places: int) -> Iterator[_Piece]:
    """Cut a charge where one of its funds begins or ends, by days; largest remainder, so the parts sum."""
    invariant(charge.amount > ZERO, "only what is owed can be covered")
    mine = [funds[each] for each in charge.funds if each in funds]
    days = charge.days
    if days.is_empty:  # for an instant: it is of the day that it falls on
        yield _Piece(charge.key, _there(mine, days.start), charge.amount)
        return
    edges = {d for fund in mine for d in (fund.days.start, fund.days.end) if days.start < d < days.end}
    cuts = [days.start, *sorted(edges), days.end]
    spans = [DateSpan(start, end) for start, end in pairwise(cuts)]
    amounts = allocate(charge.amount, [Decimal(span.days) for span in spans], places)
    for span, amount in zip(spans, amounts, strict=True):
        yield _Piece(charge.key, _there(mine, span.start), amount)


def _there(funds: Iterable[Fund], day: date) -> frozenset[str]:
    return frozenset(fund.id for fund in funds if fund.days.contains(day))


class _Spent:
    """What was drawn so far, of pots and of funds, in the pots' currencies."""

    def __init__(self) -> None:
        self.of_pot: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self.of_fund: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)


def _limit(fund: Fund, pot: Pot, spent: _Spent, *, is_below_zero: bool) -> Decimal | None:
    """Give what a fund may draw at most, in the pot's currency; None is without end.

    is_below_zero: what there is has been used up, of all funds.
    """
    if is_below_zero and not pot.is_endless:
        return ZERO
    left = None if is_below_zero else pot.left - spent.of_pot[pot.id]
    most = None if fund.most is None else fund.most - spent.of_fund[fund.id]
    limits = [each for each in (left, most) if each is not None]
    return max(ZERO, min(limits)) if limits else None


def _covers(
    fund: Fund, pot: Pot, limit: Decimal | None, pieces: Iterable[_Piece], places: int
) -> Iterator[Cover]:
    """Let one fund cover what it may, until nothing is left of it. limit: in the pot's currency."""
    most = None if limit is None else round_to(limit * pot.rate, places, RoundingMode.DOWN)
    covered = drawn = ZERO
    for piece in pieces:
        if fund.id not in piece.funds or piece.left <= ZERO:
            continue
        amount = piece.left if most is None else min(piece.left, most - covered)
        if amount <= ZERO:
            return
        covered += amount
        # Of the sum, so that roundings do not add up.
        total = round_to(divide(covered, pot.rate), pot.places, RoundingMode.HALF_UP)
        total = total if limit is None else min(total, limit)
        piece.left -= amount
        yield Cover(key=piece.key, fund=fund.id, amount=amount, drawn=total - drawn)
        drawn = total


def _uncovered(pieces: Iterable[_Piece], order: Mapping[str, int]) -> Iterator[Uncovered]:
    """Give what is left although there were funds for it, added up by charge and funds."""
    found: dict[tuple[str, tuple[str, ...]], Decimal] = {}
    for piece in pieces:
        if piece.funds and piece.left > ZERO:
            whose = piece.key, tuple(sorted(piece.funds, key=lambda fund: order[fund]))
            found[whose] = found.get(whose, ZERO) + piece.left
    for (key, funds), amount in found.items():
        yield Uncovered(key, amount, funds)


def split_charges(
    charges: Sequence[BandCharge], amount: Decimal
) -> tuple[list[BandCharge], list[BandCharge]]:
    """Split what bands charge into what comes to `amount`, from the first band on, and the rest.

    amount: 0 up to what they charge. In a band the fixed price comes first, then unit by unit; where a unit
    costs nothing, units are split like the amount. Units and amounts sum to the whole.
    """
    within: list[BandCharge] = []
    beyond: list[BandCharge] = []
    left = amount
    for charge in charges:
        if beyond or left < charge.amount:
            units = ZERO if beyond else _units_for(charge, left)
            if units or (left and not beyond):
                within.append(BandCharge(charge.band, units, left))
            beyond.append(BandCharge(charge.band, charge.units - units, charge.amount - left))
            left = ZERO
        else:
            within.append(charge)
            left -= charge.amount
    return within, beyond


def _units_for(charge: BandCharge, amount: Decimal) -> Decimal:
    """Give how many of a band's units an amount pays for; less than all of them."""
    fixed, price = charge.fixed_amount, charge.band.unit_price
    if price > ZERO and fixed >= ZERO:
        return divide(max(ZERO, amount - fixed), price)
    return divide(charge.units * amount, charge.amount)
