"""Every type of operational data has its table (semantics §30)."""

from tallystick.api.routes import all_routes
from tallystick.exports.content import OperationalDataType
from tallystick.exports.operational import TABLES
from tallystick.platform.resources import resources


def test_each_type_is_read_from_a_declared_resource() -> None:
    all_routes()  # declares everything
    assert set(TABLES) == set(OperationalDataType)
    assert len(TABLES) == 20
    assert set(TABLES.values()) <= {each.table.name for each in resources()}
