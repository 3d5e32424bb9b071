"""The audit log through the API and the command line (semantics §2)."""

import json
import subprocess
import sys
from typing import Any

from tallystick.organizations.audit_chain import verify
from tallystick.wiring import make_due
from tests.support.people import allow, caller
from tests.support.world import World


def test_a_change_is_told_filtered_and_sealed(world: World) -> None:
    product = world.product()
    made = world.get(f"products/{product}")
    world.put(f"products/{product}", {"name": "Renamed", "code": "air", "version": made["version"]})
    updated, created = world.get("audit", entityId=product)["data"]
    assert updated["changes"] == {"name": {"from": "Air", "to": "Renamed"}}
    assert (created["operation"], created["entityType"]) == ("CREATED", "product")
    who = world.get("users/me")["serviceUser"]["id"]
    assert updated["actorId"] == who
    mine = {"actorId": who, "entityType": "product", "operation": "updated"}
    assert [each["id"] for each in world.get("audit", **mine)["data"]] == [updated["id"]]
    assert world.get("audit", entityId=product, endTime=updated["at"])["data"] == [created]
    assert world.get("audit", entityId=product, startTime=updated["at"])["data"][0]["id"] == updated["id"]
    first = world.get("audit", entityId=product, pageSize=1)
    second = world.get("audit", entityId=product, pageSize=1, nextToken=first["nextToken"])
    assert [first["data"][0]["id"], second["data"][0]["id"]] == [updated["id"], created["id"]]
    assert "nextToken" not in second
    make_due(world.live.platform, world.live.services).run(world.org_id)
    sealed = world.get("audit", entityId=product)["data"][0]
    assert (sealed["sequence"] > 0, len(sealed["hash"])) == (True, 64)
    with world.live.platform.database.snapshot(world.org_id) as tx:
        assert verify(tx, world.org_id).fault is None


def test_the_log_is_for_those_who_may_and_of_their_organization(world: World) -> None:
    product = world.product()
    reader = caller(world, allow("audit:retrieve", "config:audit/*"))
    assert len(reader.get("audit", entityId=product)["data"]) == 1
    reader.get("products", expect=403)
    nobody = caller(world, allow("config:retrieve", "*"))
    assert nobody.get("audit", expect=403)["code"] == "permission_denied"
    other = World(world.live)
    assert other.get("audit", entityId=product)["data"] == []
    for each in (reader, nobody, other):
        each.close()
    for wrong in ({"actorId": "x"}, {"startTime": "yesterday"}, {"pageSize": "0"}, {"nextToken": "!"}):
        world.get("audit", expect=400, **wrong)


def test_secrets_are_masked(world: World) -> None:
    made = caller(world, name="secretive")
    keys = world.get("audit", entityType="accesskey")["data"]
    assert keys[0]["changes"]["secretHash"] == {"to": "********"}
    assert made.secret not in json.dumps(world.get("audit"))
    made.close()


def test_the_command_line_checks_the_chain(world: World, tmp_path: Any) -> None:
    world.product()
    url = world.live.platform.postgres.url
    command = [
        sys.executable,
        "-m",
        "tallystick",
        "admin",
        "audit",
        "verify",
        "--org",
        world.org_id,
        "--json",
    ]
    environment = {"TALLYSTICK_DATABASE_URL": url, "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}

    def run(*more: str) -> tuple[int, Any]:
        done = subprocess.run(
            [*command, "--home", str(tmp_path), *more],
            check=False,
            capture_output=True,
            text=True,
            env=environment,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)[0]

    code, whole = run()
    assert (code, whole.get("fault"), whole["unsealed"]) == (0, None, 0)
    head = whole["head"]
    assert run("--expect", f"{head['sequence']}:{head['hash']}")[0] == 0
    code, cut = run("--expect", f"{head['sequence'] + 1}:{head['hash']}")
    assert (code, "not in the chain" in cut["fault"]) == (1, True)
