"""The schema as it is rendered, for one server and for a cluster; read by eye when it changes."""

import pyarrow as pa
import pytest

from tallystick.platform.clickhouse.embedded import EmbeddedClickHouse
from tallystick.platform.clickhouse.http import HttpClickHouse
from tallystick.platform.clickhouse.sql import insert_statement
from tallystick.usage.store import queries, schema

LOCAL = (
    "CREATE TABLE IF NOT EXISTS tallystick.measurements_local ON CLUSTER 'main' (org_id UUID CODEC(ZSTD(1)), "
)
REPLICATED = (
    "PROJECTION by_uid INDEX uid_hash TYPE basic) ENGINE = ReplicatedMergeTree("
    "'/clickhouse/tables/{shard}/tallystick/measurements_local', '{replica}') "
    "PARTITION BY toYYYYMM(ts) ORDER BY (org_id, meter_id, account_id, ts) SETTINGS fsync_after_insert = 1, "
    "fsync_part_directory = 1, replicated_deduplication_window = 1000"
)
NUMBERS = ", ".join(f"n{at} Nullable(Decimal(38, 12))" for at in range(8))
TEXTS = ", ".join(f"s{at} Nullable(String)" for at in range(8))
DISTRIBUTED = (
    "CREATE TABLE IF NOT EXISTS tallystick.measurements ON CLUSTER 'main' (org_id UUID, meter_id UUID, "
    "account_id UUID, ts DateTime64(3, 'UTC'), ets Nullable(DateTime64(3, 'UTC')), "
    f"received_at DateTime64(6, 'UTC'), uid String, uid_hash UInt64, {NUMBERS}, {TEXTS}, "
    "more_n Map(UInt8, Decimal(38, 12)), more_s Map(UInt8, String)) "
    "ENGINE = Distributed('main', 'tallystick', 'measurements_local', cityHash64(org_id, account_id))"
)


def test_the_schema_of_a_cluster() -> None:
    database, local, spread = schema.statements("main")
    assert database == "CREATE DATABASE IF NOT EXISTS tallystick ON CLUSTER 'main'"
    assert local.startswith(LOCAL)
    assert local.endswith(REPLICATED)
    assert spread == DISTRIBUTED


def test_one_server_has_one_table() -> None:
    _, table = schema.statements()
    assert "ENGINE = MergeTree PARTITION BY" in table
    assert "non_replicated_deduplication_window = 1000" in table
    assert "CLUSTER" not in table


def test_a_cluster_is_measured_and_dropped_where_its_parts_are() -> None:
    assert queries.parts("count()", "main") == (
        "SELECT count() FROM cluster('main', system.parts) "
        "WHERE active AND database = 'tallystick' AND table = 'measurements_local'"
    )
    dropped = "ALTER TABLE tallystick.measurements_local ON CLUSTER 'main' DROP PARTITION 202501"
    assert schema.drop_month(202501, "main") == dropped
    assert schema.drop_month(202501) == "ALTER TABLE tallystick.measurements DROP PARTITION 202501"


def test_a_clusters_insert_waits_for_a_quorum_but_not_forever() -> None:
    block = pa.table({"uid": ["a"]})
    statement = insert_statement(schema.TABLE, block, "token", extra=schema.CLUSTER_INSERT)
    assert "insert_deduplication_token = 'token'" in statement
    assert (
        "distributed_foreground_insert = 1, insert_quorum = 'auto', insert_quorum_timeout = 20000,"
        " insert_quorum_parallel = 0" in statement
    )


def test_a_cluster_is_read_where_all_that_was_acknowledged_is(clickhouse_url: str) -> None:
    asked = "SELECT getSetting('select_sequential_consistency') AS is_asked"
    for settings, expected in ((schema.CLUSTER_READ, True), (None, False)):
        cluster = HttpClickHouse(clickhouse_url, read_settings=settings)
        assert cluster.read(asked).to_pylist() == [{"is_asked": expected}]
        cluster.close()


@pytest.mark.parametrize("name", ["main", "it's"])
def test_clickhouse_can_read_the_schema_of_a_cluster(clickhouse: EmbeddedClickHouse, name: str) -> None:
    for statement in (*schema.statements(name), schema.drop_month(202501, name)):
        assert clickhouse.read(f"EXPLAIN AST {statement}").num_rows > 0
