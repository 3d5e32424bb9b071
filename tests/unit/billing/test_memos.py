"""Credits and debits by hand (semantics §24): at once, through recalculations, never on a locked bill."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tallystick.accounts.account_plan import AccountPlan
from tallystick.billing import memos, service
from tallystick.billing.bill import BillStatus
from tallystick.billing.bill_job import BillJob, BillJobBillingFrequency
from tallystick.billing.errors import BillLocked, NoConversionRate
from tallystick.billing.jobs import recalculate_job
from tallystick.billing.memo import CreditLineItem, DebitLineItem, Memo
from tallystick.billing.reason import CreditReason, DebitReason
from tallystick.organizations.currency import Currency
from tallystick.organizations.organization_config import CurrencyConversion
from tallystick.platform.resources import PageRequest, resource_of
from tallystick.platform.resources.transaction import ResourceNotFound, StaleVersion
from tallystick.platform.resources.wire import InvalidBody
from tallystick.pricing.pricing import PricingType
from tests.unit.billing.conftest import FEB, JAN, Books, lines

D = Decimal
JAN_5 = datetime(2024, 1, 5, tzinfo=UTC)


class Desk:
    """An organization with one bill of January, $125 + $10, and someone who puts memos on it."""

    def __init__(self, books: Books) -> None:
        self.books = books
        plan = books.plan(standing="10")
        books.price(plan, ("0", "0", "0.15"), ("500", "0", "0.10"))
        self.acme = books.account("acme", plan)
        books.usage.add(self.acme.id, JAN_5, "1000")
        books.run()
        self.reason = books.create(CreditReason(name="Goodwill", code="GOODWILL"))
        self.debit_reason = books.create(DebitReason(name="Damage", code="DAMAGE"))

    @property
    def bill(self) -> Any:
        return self.books.bill(self.acme)

    def request(self, cls: type[Memo], amount: str, **values: Any) -> Any:
        reason: Any = {"credit_reason_id": self.reason.id}
        if cls is DebitLineItem:
            reason = {"debit_reason_id": self.debit_reason.id}
        given = {
            "amount": D(amount),
            "description": "By hand",
            "product_id": self.books.product.id,
            "accounting_product_id": self.books.product.id,
            "service_period_start_date": JAN,
            "service_period_end_date": FEB,
            **reason,
        }
        return resource_of(cls).request_type(**given | values)

    def credit(self, amount: str, **values: Any) -> CreditLineItem:
        with self.books.database.transaction(self.books.org_id) as tx:
            request = self.request(CreditLineItem, amount, **values)
            return memos.create_memo(tx, CreditLineItem, self.bill.id, request)

    def debit(self, amount: str, **values: Any) -> DebitLineItem:
        with self.books.database.transaction(self.books.org_id) as tx:
            request = self.request(DebitLineItem, amount, **values)
            return memos.create_memo(tx, DebitLineItem, self.bill.id, request)

    def set_status(self, status: BillStatus) -> None:
        with self.books.database.transaction(self.books.org_id) as tx:
            service.set_status(tx, self.bill.id, status)

    def recalculate(self) -> None:
        with self.books.database.transaction(self.books.org_id) as tx:
            job = recalculate_job(tx, [self.bill.id])
        self.books.runner().run(self.books.org_id, job.id)

    def verified(self) -> bool:
        with self.books.database.snapshot(self.books.org_id) as tx:
            return service.verify_bill(tx, self.books.usage, self.bill.id).matches


@pytest.fixture
def desk(books: Books) -> Desk:
    return Desk(books)


USUAL = [("USAGE", "125.00"), ("STANDING_CHARGE", "10.00")]


def test_a_credit_and_a_debit_count_at_once(desk: Desk) -> None:
    credit = desk.credit("20")
    desk.debit("5.5")
    bill = desk.bill
    assert lines(bill) == [*USUAL, ("CREDIT_MEMO", "-20.00"), ("DEBIT_MEMO", "5.50")]
    assert (bill.bill_total, bill.status) == (D("120.50"), BillStatus.PENDING)  # 125 + 10 - 20 + 5.50
    line = bill.line_items[2]
    assert (line.id, line.reason_id, line.sequence_number) == (credit.id, desk.reason.id, 3)
    assert (line.product_code, line.accounting_product_code) == ("storage", "storage")
    assert desk.verified()
    assert len(desk.books.told("billing.creditlineitem.created")) == 1
    assert desk.books.told("billing.bill.updated")[-1]["newDto"]["billTotal"] == D("120.50")


def test_no_calculated_credit_looks_at_memos(desk: Desk) -> None:
    """They come last (semantics §33): a credit on the whole bill of 135 leaves nothing; then 5 are owed."""
    gift = desk.books.aggregate(name="Gift", default_value=D(1))
    plan = desk.books.plan()
    values = {"aggregation_id": gift.id, "type": PricingType.GLOBAL_CREDIT}
    desk.books.configure(allow_overlapping_plans=True)
    desk.books.price(plan, ("0", "500", "0"), **values)
    desk.books.create(AccountPlan(account_id=desk.acme.id, plan_id=plan.id, start_date=JAN))
    desk.debit("5")
    desk.recalculate()
    assert lines(desk.bill)[-1] == ("DEBIT_MEMO", "5.00")
    assert ("USAGE_CREDIT", "-135.00") in lines(desk.bill)
    assert desk.bill.bill_total == D("5.00")


def test_memos_survive_every_recalculation(desk: Desk) -> None:
    desk.credit("20")
    before = desk.bill
    desk.recalculate()
    desk.books.run()
    assert desk.bill == before  # not even a new version
    desk.books.usage.add(desk.acme.id, JAN_5, "100")
    desk.recalculate()
    assert lines(desk.bill) == [("USAGE", "135.00"), USUAL[1], ("CREDIT_MEMO", "-20.00")]
    assert desk.bill.bill_total == D("125.00")


def test_a_memo_that_comes_while_its_bill_is_calculated_is_kept(desk: Desk) -> None:
    books = desk.books
    runner = books.runner()
    job = books.order()
    job = runner._start(books.org_id, job.id)  # noqa: SLF001 - between calculating and saving
    chunk = runner._prepare(books.org_id, job, None)  # noqa: SLF001 - between the two
    desk.credit("20")
    runner._save(books.org_id, job, chunk)  # noqa: SLF001 - between the two
    assert lines(desk.bill) == [*USUAL, ("CREDIT_MEMO", "-20.00")]


def test_an_approved_bill_takes_memos_and_stays_approved_a_locked_one_does_not(desk: Desk) -> None:
    desk.set_status(BillStatus.APPROVED)
    credit = desk.credit("20")
    assert (desk.bill.status, desk.bill.bill_total) == (BillStatus.APPROVED, D("115.00"))
    with desk.books.database.transaction(desk.books.org_id) as tx:
        service.lock_bill(tx, desk.bill.id)
    for change in (
        lambda: desk.credit("1"),
        lambda: desk.debit("1"),
        lambda: delete(desk, credit),
        lambda: update(desk, credit, "1"),
    ):
        with pytest.raises(BillLocked):
            change()
    assert desk.bill.bill_total == D("115.00")


def delete(desk: Desk, credit: CreditLineItem) -> None:
    with desk.books.database.transaction(desk.books.org_id) as tx:
        memos.delete_memo(tx, CreditLineItem, credit.bill_id, credit.id)


def update(desk: Desk, credit: CreditLineItem, amount: str, **values: Any) -> CreditLineItem:
    request = desk.request(CreditLineItem, amount, **{"version": credit.version} | values)
    with desk.books.database.transaction(desk.books.org_id) as tx:
        return memos.update_memo(tx, CreditLineItem, credit.bill_id, credit.id, request)


def test_a_memo_is_changed_and_taken_off(desk: Desk) -> None:
    first, _second = desk.credit("20"), desk.credit("1")
    changed = update(desk, first, "30")
    assert desk.bill.bill_total == D("104.00")  # 135 - 30 - 1
    with pytest.raises(StaleVersion):
        update(desk, first, "40")
    assert (changed.version, changed.bill_id) == (2, first.bill_id)
    delete(desk, changed)
    assert [x.sequence_number for x in desk.bill.line_items] == [1, 2, 3]
    assert desk.bill.bill_total == D("134.00")
    before = desk.bill.version
    desk.books.run()
    assert desk.bill.version == before


def test_only_a_part_may_be_applied_and_a_credit_may_make_the_total_negative(desk: Desk) -> None:
    desk.credit("500", amount_to_apply_on_bill=D("0.25"))
    assert desk.bill.bill_total == D("134.75")
    desk.credit("500")
    assert desk.bill.bill_total == D("-365.25")
    with desk.books.database.reading(desk.books.org_id) as tx:
        told = service.explain_line(tx, desk.bill.id, desk.bill.line_items[2].id).text
    assert told == [
        "CREDIT_MEMO: By hand, from 2024-01-01 00:00 UTC up to 2024-02-01 00:00 UTC (not included)",
        "by hand: 500 USD; 0.25 of it on this bill; reason: Goodwill (GOODWILL)",
        "billed: -0.25 USD, rounded HALF_UP to 2 places",
    ]


def test_a_memo_in_another_currency_is_converted_and_needs_a_rate(desk: Desk) -> None:
    desk.books.create(Currency(name="Euro", code="EUR"))
    with pytest.raises(NoConversionRate):
        desk.debit("10.01", currency="EUR")
    assert lines(desk.bill) == USUAL
    desk.books.configure(
        currency_conversions=[
            CurrencyConversion(from_currency="EUR", to_currency="USD", multiplier=D("1.125"))
        ]
    )
    desk.debit("10.01", currency="EUR")
    line = desk.bill.line_items[2]  # 10.01 x 1.125 = 11.26125
    assert (line.subtotal, line.converted_subtotal, line.conversion_rate) == (
        D("10.01"),
        D("11.26"),
        D("1.125"),
    )
    assert [(c.from_currency, c.multiplier) for c in desk.bill.currency_conversions] == [("EUR", D("1.125"))]
    version = desk.bill.version
    desk.books.run()
    assert desk.bill.version == version
    desk.books.configure(currency_conversions=[])
    desk.books.run()
    assert desk.books.told("billing.bill.failed")[-1]["newDto"]["code"] == "no_conversion_rate"
    assert desk.bill.version == version


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        pytest.param({"credit_reason_id": None}, "creditReasonId", "required", id="no reason"),
        pytest.param({"reason_id": str(uuid4())}, "reasonId", "not_applicable", id="two reasons"),
        pytest.param(
            {"credit_reason_id": str(uuid4())}, "creditReasonId", "unknown_reference", id="no such reason"
        ),
        pytest.param({"line_item_type": "DEBIT_MEMO"}, "lineItemType", "unknown_value", id="the other kind"),
        pytest.param(
            {"amount_to_apply_on_bill": D(21)}, "amountToApplyOnBill", "out_of_range", id="too much of it"
        ),
        pytest.param(
            {"service_period_end_date": JAN}, "servicePeriodEndDate", "ends_before_start", id="no time"
        ),
        pytest.param({"currency": "usd"}, "currency", "unknown_currency", id="case matters"),
        pytest.param({"product_id": str(uuid4())}, "productId", "unknown_reference", id="no such product"),
        pytest.param(
            {"referenced_bill_id": str(uuid4())}, "referencedBillId", "unknown_reference", id="no such bill"
        ),
        pytest.param(
            {"referenced_line_item_id": str(uuid4())}, "referencedBillId", "required", id="line without bill"
        ),
    ],
)
def test_a_memo_is_refused(desk: Desk, values: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(InvalidBody) as refused:
        desk.credit("20", **values)
    assert (field, code) in {(p.field, p.code) for p in refused.value.problems}
    assert lines(desk.bill) == USUAL


def test_it_may_name_the_line_that_it_is_about(desk: Desk) -> None:
    usage = desk.bill.line_items[0]
    credit = desk.credit("20", referenced_bill_id=desk.bill.id, referenced_line_item_id=usage.id)
    with desk.books.database.reading(desk.books.org_id) as tx:
        assert (
            f"about: bill {desk.bill.id}, line {usage.id}"
            in service.explain_line(tx, desk.bill.id, credit.id).text
        )
    with pytest.raises(InvalidBody, match="is not the id of any line"):
        desk.credit("20", referenced_bill_id=desk.bill.id, referenced_line_item_id=str(uuid4()))


def test_an_archived_reason_stays_on_old_memos_only(desk: Desk) -> None:
    credit = desk.credit("20", credit_reason_id=None, reason_id=desk.reason.id)
    assert credit.credit_reason_id == desk.reason.id
    desk.books.change(CreditReason, desk.reason.id, archived=True)
    assert update(desk, credit, "21").amount == D(21)
    with pytest.raises(InvalidBody, match="archived"):
        desk.credit("20")


def test_memos_are_listed_by_bill_and_go_with_it(desk: Desk) -> None:
    first, second = desk.credit("1"), desk.credit("2")
    bill_id = desk.bill.id
    with desk.books.database.transaction(desk.books.org_id) as tx:
        page = memos.page_of_memos(tx, CreditLineItem, bill_id, PageRequest(10))
        assert [m.id for m in page.data] == [second.id, first.id]
        assert memos.page_of_memos(tx, DebitLineItem, bill_id, PageRequest(10)).data == []
        other = desk.books.account("other", None)
        assert other.id
        with pytest.raises(ResourceNotFound):
            memos.get_memo(tx, CreditLineItem, str(uuid4()), first.id)
        with pytest.raises(ResourceNotFound):
            memos.get_memo(tx, DebitLineItem, bill_id, first.id)
        service.delete_bill(tx, bill_id)
        assert tx.find(CreditLineItem) == []
    desk.books.run()
    assert lines(desk.bill) == USUAL


def test_many_memos_at_once_all_count(desk: Desk) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: desk.credit("1"), range(8)))
    assert desk.bill.bill_total == D("127.00")  # 135 - 8
    assert [x.sequence_number for x in desk.bill.line_items] == list(range(1, 11))


def test_a_preview_of_the_same_period_has_the_memos(desk: Desk) -> None:
    desk.credit("20")

    job = BillJob(
        billing_frequency=BillJobBillingFrequency.MONTHLY,
        bill_frequency_interval=1,
        account_ids=[desk.acme.id],
    )
    with desk.books.database.snapshot(desk.books.org_id) as tx:
        assert service.preview_bill(tx, desk.books.usage, job).bill_total == D("115.00")
