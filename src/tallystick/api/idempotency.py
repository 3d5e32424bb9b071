"""Carrying out a POST once, however often it is sent with the same `Idempotency-Key`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tallystick.api.routes import Call, Route
from tallystick.platform.database import OneTransaction
from tallystick.platform.idempotency import keep_answer, kept_answer, keyed_request

HEADER: Final = "idempotency-key"
REPLAYED: Final = {"idempotent-replayed": "true"}
"Tells, as Stripe does, that the answer is that of an earlier request."


class Replayed(bytes):
    """An answer that was given before."""

    __slots__ = ()


def answer_once(route: Route, call: Call, *parts: bytes, carry_out: Callable[[Call], Any]) -> Any:
    """Answer what was answered under the call's key, or carry it out and keep its answer with its work.

    parts: what tells this request from others. carry_out: gives the encoded answer.
    A refused or failed request leaves nothing behind, so its key can be used again.
    Raises BadIdempotencyKey, IdempotencyKeyInUse, IdempotencyKeyReused.
    """
    request = keyed_request(route.operation_id, call.headers[HEADER], *parts)
    with call.writing() as tx:
        kept = kept_answer(tx, request)
        if kept is not None:
            return Replayed(kept)
        inside = OneTransaction(call.services.database, tx)
        answer = carry_out(replace(call, services=replace(call.services, database=inside)))
        keep_answer(tx, request, answer)
    return answer
