"""The server's own OpenAPI document agrees with the contract in this folder."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tallystick.api import openapi

HERE = Path(__file__).parent
MIN_COVERAGE = 98
RESOURCES = [
    "Account",
    "AccountPlan",
    "Aggregation",
    "Auth",
    "BalanceChargeSchedule",
    "BalanceTransactionSchedule",
    "Balances",
    "Bill",
    "BillConfig",
    "BillGroupingKey",
    "Charge",
    "Commitments",
    "CompoundAggregation",
    "Contract",
    "Counter",
    "CounterAdjustments",
    "CounterPricing",
    "CreditReason",
    "Credits",
    "Currency",
    "CustomField",
    "DataExplorer",
    "DataExplorerV2",
    "DebitReason",
    "Debits",
    "Events",
    "ExportAdHoc",
    "ExportDestination",
    "ExportJob",
    "ExportSchedule",
    "External Mapping",
    "Integrations",
    "Invitations",
    "LookupTable",
    "LookupTableRevision",
    "LookupTableRevisionData",
    "Marketplace Integrations",
    "Measurements",
    "Meter",
    "Notifications",
    "OrgUsers",
    "OrganizationConfig",
    "PermissionPolicy",
    "Plan",
    "PlanGroup",
    "PlanGroupLink",
    "PlanTemplate",
    "Pricing",
    "Product",
    "ResourceGroup",
    "ScheduledEventConfigurations",
    "Support",
    "User",
    "StatementDefinition",
    "StatementJob",
    "TransactionType",
]


def compare(document: Path, resource: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "check_openapi.py"), str(document), "--resource", resource]
    options = [
        "--min-coverage",
        str(MIN_COVERAGE),
        "--show",
        "40",
        "--json",
        str(document.with_suffix(f".{resource}")),
    ]
    return subprocess.run(command + options, check=False, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_text(json.dumps(openapi.document()), "utf-8")
    return path


@pytest.mark.parametrize("resource", RESOURCES)
def test_resource(document: Path, resource: str) -> None:
    result = compare(document, resource)
    assert result.returncode == 0, result.stdout + result.stderr
    extras = json.loads(document.with_suffix(f".{resource}").read_text("utf-8"))["breaking_extras"]
    assert extras == 0, f"asks for fields that the contract does not know:\n{result.stdout}"


def test_comparison_finds_a_server_without_the_resource(tmp_path: Path) -> None:
    empty = tmp_path / "empty.json"
    empty.write_text('{"openapi": "3.1.0", "paths": {"/organizations/{orgId}/x": {}}}')
    assert compare(empty, "Account").returncode == 1
