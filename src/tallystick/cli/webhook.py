"""`tallystick webhook …`: see webhooks and what they were sent, try them out, send again."""

from typing import Any

from tallystick.cli.client import Client
from tallystick.cli.errors import CommandError
from tallystick.cli.output import counted, on_output, print_json, table
from tallystick.cli.profile import NOWHERE, Connection, resolve

PATH = "integrationdestinations/webhooks"
DELIVERED = "DELIVERED"


def list(  # noqa: A001 - named as the command
    webhook: str | None = None, *, json: bool = False, connection: Connection = NOWHERE
) -> None:
    """List webhooks, or the deliveries of one, newest first.

    Parameters
    ----------
    webhook
        A webhook's id or code, to list its latest deliveries.
    json
        Print one JSON document.
    """
    with Client(resolve(connection)) as client:
        if webhook is None:
            found = [*client.every(PATH)]
        else:
            deliveries = f"{PATH}/{find_webhook(client, webhook)['id']}/deliveries"
            found = client.get(deliveries, pageSize=100)["data"]
    if json:
        print_json(found)
    elif webhook is None:
        rows = [(w["id"], w["name"], w["url"], "yes" if w["active"] else "no") for w in found]
        on_output().print(table(counted(len(rows), "webhook"), ("id", "name", "url", "active"), rows))
    else:
        rows = [(d["id"], d["type"], d["status"], str(d["attempts"])) for d in found]
        on_output().print(table("Latest deliveries", ("id", "type", "status", "attempts"), rows))


def test(webhook: str, *, json: bool = False, connection: Connection = NOWHERE) -> int:  # noqa: PT028 - no test
    """Send a message to a webhook now, and tell what it answered.

    Parameters
    ----------
    webhook
        The webhook's id or code.
    json
        Print one JSON document.
    """
    with Client(resolve(connection)) as client:
        tried = client.post(f"{PATH}/{find_webhook(client, webhook)['id']}/test")
    if json:
        print_json(tried)
    else:
        attempt = tried["log"][0]
        said = attempt.get("error") or f"{attempt['statusCode']} {attempt.get('responseBody', '')}".strip()
        on_output().print(f"{tried['status']} in {attempt['durationMs']} ms: {said}", markup=False)
    return 0 if tried["status"] == DELIVERED else 1


def redeliver(webhook: str, delivery: str, *, json: bool = False, connection: Connection = NOWHERE) -> None:
    """Send a message to a webhook again, under its own id.

    Parameters
    ----------
    webhook
        The webhook's id or code.
    delivery
        The delivery's id, as `tallystick webhook list WEBHOOK` shows it.
    json
        Print one JSON document.
    """
    with Client(resolve(connection)) as client:
        made = client.post(f"{PATH}/{find_webhook(client, webhook)['id']}/deliveries/{delivery}/redeliver")
    if json:
        print_json(made)
    else:
        on_output().print(f"Delivery {made['id']} is on its way.", markup=False)


def find_webhook(client: Client, named: str) -> Any:
    """Find a webhook by its id or its code. Raises CommandError."""
    for each in client.every(PATH):
        if named in {each["id"], each.get("code")}:
            return each
    raise CommandError(f"There is no webhook {named}.", hint="`tallystick webhook list` shows them.")
