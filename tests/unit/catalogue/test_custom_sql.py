"""CUSTOM_SQL (semantics §9): what may be asked, and every way out of it that we could think of."""
# ruff: noqa: S608, RUF001, SIM905 - SQL that must be refused, with letters that only look like ours

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.catalogue.custom_sql import CustomSqlRefused, position, read_custom_sql

COLUMNS = ("distance", "origin", "$cost")


def written(text: str) -> str:
    return read_custom_sql(text, COLUMNS).over("M")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "SELECT sum(distance) FROM measurements",
            "SELECT sum(`distance`) AS `the answer` FROM (M) AS `measurements`",
            id="plain",
        ),
        pytest.param(
            "select Sum(m.distance) * 0.1 as total from measurements m where origin in ('ORD', 'it''s')"
            " group by origin order by total desc limit 1;",
            "SELECT (sum(`m`.`distance`) * toDecimal256('0.1', 1)) AS `total` FROM (M) AS `m` WHERE"
            " (`origin` IN ('ORD', 'it\\'s')) GROUP BY `origin` ORDER BY `total` DESC NULLS LAST LIMIT 1",
            id="names as they are called, brackets around everything, decimals exact",
        ),
        pytest.param(
            "SELECT quantile(0.95)(t) FROM (SELECT toStartOfHour(ts) h, sum(distance) t FROM measurements"
            " GROUP BY h)",
            "SELECT quantile(0.95)(`t`) AS `the answer` FROM (SELECT toStartOfHour(`ts`) AS `h`,"
            " sum(`distance`) AS `t` FROM (M) AS `measurements` GROUP BY `h`)",
            id="95th percentile of hours",
        ),
        pytest.param(
            "SELECT count(DISTINCT origin) - count(*) FROM measurements WHERE NOT"
            " (distance > 1 OR ets IS NULL)",
            "SELECT (count(DISTINCT `origin`) - count()) AS `the answer` FROM (M) AS `measurements`"
            " WHERE (NOT (((`distance` > 1) OR (`ets` IS NULL))))",
            id="distinct, not, null",
        ),
        pytest.param(
            'SELECT max("$cost") -- the dearest\n /* of all */ FROM `measurements`',
            "SELECT max(`$cost`) AS `the answer` FROM (M) AS `measurements`",
            id="comments are gone, quotes are ours",
        ),
        pytest.param(
            "SELECT sum(CASE origin WHEN 'a' THEN 1 ELSE distance END) FROM measurements"
            " WHERE ts < ets + INTERVAL 3 hour AND distance BETWEEN -1 AND 1e3"
            " AND distance = (SELECT max(distance) FROM measurements)",
            "SELECT sum((CASE `origin` WHEN 'a' THEN 1 ELSE `distance` END)) AS `the answer`"
            " FROM (M) AS `measurements` WHERE (((`ts` < (`ets` + INTERVAL 3 HOUR)) AND (`distance` BETWEEN"
            " (- 1) AND 1e3)) AND (`distance` = (SELECT max(`distance`) FROM (M) AS `measurements`)))",
            id="case, interval, between, subquery over measurements",
        ),
    ],
)
def test_a_query_is_written_anew(text: str, expected: str) -> None:
    assert written(text) == expected


def test_a_long_query_is_not_too_much_for_the_parser() -> None:
    each = "if(distance > 1 AND origin = 'a', -distance * 0.5, (distance))"
    assert written(f"SELECT {' + '.join([f'sum({each})'] * 27)} FROM measurements")


REFUSED = [
    # other sources
    "SELECT count(*) FROM url('http://169.254.169.254/', 'CSV')",
    "SELECT count(*) FROM file('/etc/passwd', 'LineAsString')",
    "SELECT count(*) FROM remote('127.0.0.1', 'tallystick.measurements')",
    "SELECT count(*) FROM s3('https://x/y.csv')",
    "SELECT count(*) FROM numbers(10)",
    "SELECT count(*) FROM generateRandom('a UInt8')",
    "SELECT count(*) FROM executable('ls', TSV, 'a String')",
    "SELECT count(*) FROM system.tables",
    "SELECT count(*) FROM information_schema.tables",
    "SELECT count(*) FROM tallystick.measurements",
    "SELECT count(*) FROM `tallystick`.`measurements`",
    "SELECT count(*) FROM other.measurements",
    "SELECT count(*) FROM a.b.measurements",
    "SELECT count(*) FROM `tallystick.measurements`",
    "SELECT count(*) FROM Measurements",
    "SELECT count(*) FROM measurements()",
    "SELECT count(*) FROM measurements('x')",
    "SELECT count(*) FROM '/etc/passwd'",
    "SELECT count(*) FROM merge('tallystick', '.*')",
    "SELECT count(*) FROM VALUES('a UInt8', 1)",
    "SELECT count(*) FROM (SELECT * FROM system.one)",
    "SELECT count(*) FROM (SELECT 1)",
    "SELECT count(*) FROM (VALUES (1))",
    "SELECT count(*) FROM (TABLE system.one)",
    "SELECT 1",
    "SELECT count(*) FROM measurements, system.tables",
    "SELECT count(*) FROM measurements JOIN system.tables ON 1 = 1",
    "SELECT count(*) FROM measurements CROSS JOIN system.tables",
    "SELECT count(*) FROM measurements a ASOF LEFT JOIN measurements b USING (ts)",
    "SELECT count(*) FROM measurements ARRAY JOIN [1, 2] AS x",
    "SELECT count(*) FROM measurements LEFT ARRAY JOIN range(10) AS x",
    "SELECT count(*) FROM measurements LATERAL VIEW explode(x)",
    "SELECT arrayJoin([1, 2]) FROM measurements",
    "SELECT sum(distance) FROM measurements WHERE distance IN (SELECT n FROM system.numbers)",
    "SELECT sum(distance) FROM measurements WHERE distance IN system.numbers",
    "SELECT sum(distance) FROM measurements WHERE distance IN measurements",
    "SELECT sum(distance) FROM measurements WHERE EXISTS (SELECT 1 FROM system.one)",
    "SELECT (SELECT count(*) FROM system.tables) FROM measurements",
    "SELECT sum((SELECT * FROM url('http://x/', 'CSV', 'a UInt8'))) FROM measurements",
    # other statements
    "INSERT INTO measurements SELECT 1",
    "INSERT INTO FUNCTION file('/tmp/x') SELECT sum(distance) FROM measurements",
    "DROP TABLE tallystick.measurements",
    "ALTER TABLE measurements DELETE WHERE 1",
    "CREATE TABLE x ENGINE = Log AS SELECT sum(distance) FROM measurements",
    "SYSTEM SHUTDOWN",
    "SET readonly = 0",
    "USE system",
    "EXPLAIN SELECT sum(distance) FROM measurements",
    "DESCRIBE TABLE measurements",
    "SHOW TABLES",
    "KILL QUERY WHERE 1",
    "SELECT sum(distance) FROM measurements; SELECT 1 FROM measurements",
    "SELECT sum(distance) FROM measurements; DROP TABLE tallystick.measurements",
    "SELECT sum(distance) FROM measurements;;",
    "(SELECT sum(distance) FROM measurements)",
    # other clauses
    "WITH measurements AS (SELECT 1 AS distance) SELECT sum(distance) FROM measurements",
    "WITH x AS (SELECT * FROM system.tables) SELECT sum(distance) FROM measurements",
    "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT 1 FROM x) SELECT sum(distance) FROM measurements",
    "WITH (SELECT count(*) FROM system.tables) AS x SELECT x FROM measurements",
    "SELECT count(*) FROM (WITH measurements AS (SELECT 1 AS a) SELECT a FROM measurements)",
    "SELECT sum(distance) FROM measurements UNION ALL SELECT count(*) FROM system.tables",
    "SELECT sum(distance) FROM measurements UNION ALL SELECT sum(distance) FROM measurements",
    "SELECT sum(distance) FROM measurements EXCEPT SELECT 1",
    "SELECT sum(distance) FROM measurements INTERSECT SELECT 1 FROM measurements",
    "SELECT count(*) FROM (SELECT distance FROM measurements UNION ALL SELECT 1 FROM system.one)",
    "SELECT sum(distance) FROM measurements SETTINGS readonly = 0",
    "SELECT sum(distance) FROM measurements SETTINGS max_execution_time = 1000",
    "SELECT count(*) FROM (SELECT distance FROM measurements SETTINGS max_memory_usage = 0)",
    "SELECT sum(distance) FROM measurements FORMAT JSON",
    "SELECT sum(distance) FROM measurements INTO OUTFILE '/tmp/x'",
    "SELECT sum(distance) INTO x FROM measurements",
    "SELECT sum(distance) FROM measurements FINAL",
    "SELECT sum(distance) FROM measurements SAMPLE 0.1",
    "SELECT sum(distance) FROM measurements PREWHERE distance > 1",
    "SELECT sum(distance) FROM measurements GROUP BY origin WITH TOTALS",
    "SELECT sum(distance) FROM measurements GROUP BY ALL",
    "SELECT sum(distance) FROM measurements GROUP BY ROLLUP(origin)",
    "SELECT sum(distance) FROM measurements GROUP BY GROUPING SETS ((origin), ())",
    "SELECT distance FROM measurements LIMIT 1 BY origin",
    "SELECT distance FROM measurements LIMIT 1 OFFSET 1",
    "SELECT distance FROM measurements LIMIT 1, 1",
    "SELECT distance FROM measurements LIMIT 1 WITH TIES",
    "SELECT distance FROM measurements ORDER BY distance WITH FILL FROM 1 TO 1000000000",
    "SELECT distance FROM measurements ORDER BY origin COLLATE 'en'",
    "SELECT distance FROM measurements QUALIFY 1",
    "SELECT sum(distance) OVER w FROM measurements WINDOW w AS (ORDER BY ts)",
    "SELECT TOP 1 distance FROM measurements",
    "SELECT DISTINCT ON (origin) distance FROM measurements",
    "SELECT * FROM measurements",
    "SELECT measurements.* FROM measurements",
    "SELECT COLUMNS('.*') FROM measurements",
    "SELECT * EXCEPT (ts) FROM measurements",
    "SELECT count(*) FROM (SELECT * FROM measurements)",
    "SELECT sum(distance), 1 FROM measurements",
    "SELECT FROM measurements",
    # functions
    *(
        f"SELECT {call} FROM measurements"
        for call in [
            "dictGet('d', 'a', 1)",
            "dictGetOrDefault('d', 'a', 1, 0)",
            "joinGet('t', 'a', 1)",
            "getSetting('max_memory_usage')",
            "getMacro('shard')",
            "sleep(3)",
            "sleepEachRow(1)",
            "throwIf(1)",
            "rand()",
            "now()",
            "today()",
            "generateUUIDv4()",
            "randomString(1000000)",
            "repeat('x', 1000000000)",
            "range(1000000000)",
            "hostName()",
            "currentUser()",
            "currentDatabase()",
            "version()",
            "file('/etc/passwd')",
            "catboostEvaluate('/etc/passwd', 1)",
            "addressToLine(1)",
            "demangle('x')",
            "hasColumnInTable('system', 'one', 'dummy')",
            "evalMLMethod(1, 2)",
            "groupArray(distance)",
            "finalizeAggregation(sumState(distance))",
            "sumState(distance)",
            "sumMerge(distance)",
            "sumForEach(distance)",
            "initializeAggregation('sum', 1)",
            "ignore(1)",
            "materialize(1)",
            "cast(distance, 'String')",
            "CAST(distance AS String)",
            "distance::String",
            "formatQuery('SELECT 1')",
            "arrayMap(x -> x + 1, [1])",
            "arrayFold((a, x) -> a + x, range(1000000), 0)",
            "(x -> x + 1)(1)",
            "sum(x -> 1)",
            "SLEEP(3)",
            "slee\u0440(3)",  # Cyrillic er
            "ｓｕｍ(distance)",  # full-width letters
            "`sleep`(3)",
            "count(*, 1)(2)",
            "sum(0.5)(distance)",
            "quantile((SELECT 1))(distance)",
            "quantile('x')(distance)",
            "abs(*)",
            "abs(DISTINCT distance)",
            "count(DISTINCT *)",
            "sum(distance) FILTER (WHERE 1)",
            "sum(distance ORDER BY ts)",
            "any(distance) RESPECT NULLS",
            "sum(distance) OVER (ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
        ]
    ),
    # expressions
    *(
        f"SELECT {expression} FROM measurements"
        for expression in [
            "{x:UInt8}",
            "{x:Identifier}",
            "@@version",
            "@x",
            "?",
            ":x",
            "$1",
            "$$text$$",
            "$tag$text$tag$",
            "[1, 2]",
            "[1][1]",
            "(1, 2)",
            "(distance, origin).1",
            "distance.1",
            "origin.size0",
            "map('a', 1)",
            "x'41'",
            "0x1F",
            "b'1'",
            "1_000.5e400000",
            "0.0000000000001",
            "nan",
            "inf",
            "distance AS x, 1",
            "(distance AS x)",
            "sum(distance AS x)",
            "'\\0'",
            "'a\\0b'",
            "origin || 'x'",
            "origin REGEXP '(a+)+'",
            "match(origin, '(a+)+')",
            "DATE '2024-01-01'",
            "INTERVAL '1' DAY_HOUR",
            "INTERVAL distance DAY",
            "distance IS DISTINCT FROM 1",
            "distance IS TRUE",
            "distance <=> 1",
            "distance IN (1, (SELECT 1))",
            "(SELECT 1)",
            "EXISTS (SELECT 1)",
            "_part",
            "_table",
            "org_id",
            "account_id",
            "unknown",
            "tallystick.measurements.org_id",
            "`dist``ance`",
            '"dist""ance"',
            "`a\\`, (SELECT 1) AS b`",
            "dist\u0430nce",  # Cyrillic a
            "distance\u200b",
        ]
    ),
    # texts
    "",
    " ",
    ";",
    "--",
    "/* SELECT sum(distance) FROM measurements */",
    "SELECT sum(distance) FROM measurements /*",
    "SELECT sum(distance) FROM measurements '",
    "SELECT sum(distance FROM measurements",
    "SELECT sum(distance) /* */ FROM /* */ system /* */ . /* */ tables",
    "SELECT sum(distance) FROM -- measurements\n system.tables",
    "SELECT sum(distance) FROM measurements\x00",
    "\x00",
    "{{ 1 }}",
    "{% raw %}",
    "SELECT sum(distance) FROM measurement\u0455",  # Cyrillic dze
    "SELECT sum(distance) FROM measurements AS `m` , system.one AS x",
    "SELECT sum(distance) FROM measurements AS m(a, b)",
    "SELECT sum(distance) AS `a b` FROM measurements",
    "SELECT sum(distance) AS `a`` FROM system.tables --` FROM measurements",
    "SELECT sum(distance) AS `a\\` FROM system.tables --` FROM measurements",
    f"SELECT {'(' * 900}1{')' * 900} FROM measurements",
    f"SELECT {'(' * 100}1{')' * 100} FROM measurements",
    f"SELECT 1{'+1' * 900} FROM measurements",
    f"SELECT {'NOT ' * 480}1 FROM measurements",
    f"SELECT {'- ' * 900}1 FROM measurements",
    f"SELECT {'(SELECT ' * 200}1 FROM measurements",
    f"SELECT {'abs(' * 400}1{')' * 400} FROM measurements",
    f"SELECT count(*) FROM {'(SELECT 1 FROM ' * 70}measurements{')' * 70}",
    f"SELECT {' + '.join(['(SELECT max(ts) FROM measurements)'] * 9)} FROM measurements",
    f"SELECT {'CASE WHEN 1 THEN ' * 70}1{' END' * 70} FROM measurements",
    # the parser takes twice as long for each more
    f"SELECT {'Tuple(' * 60}1{')' * 60} FROM measurements",
    f"SELECT sum(distance) FROM measurements WHERE {'Nested(' * 60}1{')' * 60}",
    f"SELECT sum(distance) FROM measurements {'JOIN CASE ' * 60}",
    f"SELECT sum(distance) FROM {'ARRAY JOIN SETTINGS @' * 60}",
    f"SELECT distance FROM measurements {'LIMIT TRY_CAST(' * 60}",
    f"SELECT sum(distance) FROM measurements WHERE origin = '{'x' * 2048}'",
]


@pytest.mark.parametrize("text", REFUSED)
def test_there_is_no_way_out(text: str) -> None:
    with pytest.raises(CustomSqlRefused) as refused:
        read_custom_sql(text, COLUMNS)
    assert refused.value.reason
    assert position(text, refused.value.at) is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SELECT sleep(3) FROM measurements", "line 1, column 8: the function sleep is not allowed"),
        ("SELECT sum(x)\nFROM system.tables", "line 2, column 6: may read nothing but measurements"),
        ("SELECT sum(speed) FROM measurements", "line 1, column 12: measurements have no field speed"),
        ("SELECT sum(distance FROM measurements", "line 1, column 21: is not SQL that can be read"),
    ],
)
def test_a_refusal_says_where(text: str, told: str) -> None:
    with pytest.raises(CustomSqlRefused) as refused:
        read_custom_sql(text, COLUMNS)
    assert position(text, refused.value.at) + refused.value.reason == told


WORDS = (
    "SELECT FROM measurements WHERE sum ( ) , * distance origin 'x' ' ` -- /* */ ; 1 0.5 + - AND OR NOT"
    " IN system . tables url WITH AS UNION ALL SETTINGS FORMAT JOIN GROUP BY ORDER LIMIT CASE WHEN THEN"
    ' END IF [ ] { } : -> :: = < > IS NULL INTERVAL DAY OVER DISTINCT INTO ｍ $$ @ ? % | ^ # " \\ \0 \n'
).split(" ")


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=25))
def test_whatever_is_written_reads_only_what_it_may(words: list[str]) -> None:
    text = " ".join(["SELECT", *words])
    try:
        query = read_custom_sql(text)
    except CustomSqlRefused:
        return
    bare = re.sub(r"'(\\.|[^'\\])*'", "''", query.over("M"))
    sources = re.findall(r"FROM \((M\)|SELECT )", bare)
    assert len(sources) == len(re.findall(r"\bFROM\b", bare)) >= 1
    assert not re.search(r"--|/\*|;|\bJOIN\b|\bUNION\b|\bWITH\b|\bSETTINGS\b|\bFORMAT\b|\bINTO\b", bare)
