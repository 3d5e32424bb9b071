"""What is no id is nobody's, not an error of the database."""

from typing import Any

import pytest

from tallystick.catalogue.product import Product
from tallystick.platform.clock import SystemClock
from tallystick.platform.database import Database
from tallystick.platform.ids import new_id


@pytest.mark.parametrize("wanted", ["0", "", ["0", "1"], ["x" * 36], []])
def test_what_is_no_id_finds_nothing(migrated_url: str, wanted: Any) -> None:
    org_id = new_id()
    database = Database(migrated_url, SystemClock())
    with database.transaction(org_id) as tx:
        made = tx.create(Product(name="Air", code="air"))
        assert tx.find(Product, id=made.id) == [made]
        assert tx.find(Product, id=wanted) == []
    database.close()
