"""Integrations: configurations, what can be configured, runs, external mappings, and marketplaces.

Listing configurations, and external mappings by id, have generic routes; webhooks are not here.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import ColumnElement

from tallystick.api.routes import Call, FileAnswer, Permission, QueryParameter, Route, paging, verb_route
from tallystick.billing.bill import Bill
from tallystick.integrations import available, service
from tallystick.integrations.adapter import System
from tallystick.integrations.adapters.accounting_file import drop_key
from tallystick.integrations.config import IntegrationConfig, IntegrationConfigRequest
from tallystick.integrations.mapping import ExternalMapping
from tallystick.integrations.marketplace import MarketplaceUsageReport, usage_report
from tallystick.integrations.run import IntegrationRun, RunStatus
from tallystick.kernel.problems import Problem
from tallystick.platform.resources import By, Page, resource_of
from tallystick.platform.resources.filters import instant, split
from tallystick.platform.resources.transaction import ResourceNotFound
from tallystick.platform.resources.wire import InvalidBody, encode_whole

LARGEST_PAGE: Final = 200
LARGEST_REPORT: Final = 50
TAG: Final = "Integration"
_CONFIG: Final = resource_of(IntegrationConfig).permission_object
_RUN: Final = resource_of(IntegrationRun).permission_object
_MAPPING: Final = resource_of(ExternalMapping).permission_object
READ, CREATE, UPDATE, DELETE = (
    Permission(f"config:{a}", _CONFIG) for a in ("retrieve", "create", "update", "delete")
)
READ_REPORT: Final = Permission("marketplaceUsage:retrieve", _CONFIG)
READ_RUN: Final = Permission("config:retrieve", _RUN)
READ_MAPPING: Final = Permission("config:retrieve", _MAPPING)
_runs = resource_of(IntegrationRun).table
_mappings = resource_of(ExternalMapping).table
_configs = resource_of(IntegrationConfig).table
_bills = resource_of(Bill).table
_route = partial(verb_route, tag=TAG)


class IntegrationRunLog(msgspec.Struct, kw_only=True):
    """What went to and fro: each attempt, as JSON."""

    payload: str = msgspec.field(name="Payload")


def integration_routes() -> Iterator[Route]:
    """Make the routes."""
    yield from _configs_routes()
    yield from _available_routes()
    yield from _run_routes()
    yield from _mapping_routes()
    bills = (
        QueryParameter("billStartDate"),
        QueryParameter("accountId"),
        QueryParameter("externalSystem"),
        QueryParameter("billId", str, {"maxLength": 50}),
    )
    path = "integrationdestinations/marketplace/usageReport"
    answer = Page[MarketplaceUsageReport]
    query = (*paging(LARGEST_REPORT), *bills)
    yield _route("GET", path, READ_REPORT, report, "getMarketplaceUsageReport", answer=answer, query=query)


# --- configurations -----------------------------------------------------------------------------


def _configs_routes() -> Iterator[Route]:
    base, both = "integrationconfigs", service.IntegrationConfigAnswer
    body: dict[str, Any] = {"request": IntegrationConfigRequest, "answer": IntegrationConfig}
    yield _route("POST", base, CREATE, create_config, "createIntegrationConfig", **body)
    filters = (QueryParameter("entityId"), QueryParameter("destination"), QueryParameter("destinationId"))
    query = (*filters, *paging(LARGEST_PAGE))
    path = f"{base}/entity/{{entityType}}"
    yield _route("GET", path, READ, configs_of_type, "getIntegrationConfigForType", answer=both, query=query)
    yield _route("GET", f"{base}/{{id}}", READ, get_config, "getIntegrationConfig", answer=both)
    yield _route("PUT", f"{base}/{{id}}", UPDATE, update_config, "updateIntegrationConfig", **body)
    yield _route(
        "DELETE", f"{base}/{{id}}", DELETE, delete_config, "deleteIntegrationConfig", answer=IntegrationConfig
    )
    path = f"{base}/{{id}}/enable"
    yield _route("POST", path, UPDATE, enable_config, "enableIntegrationConfig", answer=IntegrationConfig)


def create_config(call: Call) -> IntegrationConfig:
    """Create an integration configuration."""
    with call.writing() as tx:
        return call.services.integrations.create(tx, call.body)


def configs_of_type(call: Call) -> service.IntegrationConfigAnswer:
    """Get the newest integration configuration of an entity type, and the page of all."""
    page = call.page(LARGEST_PAGE)
    columns = {"entityId": "entity_id", "destination": "destination", "destinationId": "destination_id"}
    clauses = [_configs.c[c] == value for name, c in columns.items() if (value := call.one(name)) is not None]
    with call.reading() as tx:
        return service.configs_of(tx, call.path["entityType"], clauses, page)


def get_config(call: Call) -> service.IntegrationConfigAnswer:
    """Get an integration configuration, with how its last run went."""
    with call.reading() as tx:
        return service.with_last_run(tx, tx.get(IntegrationConfig, call.path["id"]))


def update_config(call: Call) -> IntegrationConfig:
    """Update an integration configuration."""
    with call.writing() as tx:
        return call.services.integrations.update(tx, call.path["id"], call.body)


def delete_config(call: Call) -> IntegrationConfig:
    """Delete an integration configuration, and its credentials."""
    with call.writing() as tx:
        return call.services.integrations.delete(tx, call.path["id"])


def enable_config(call: Call) -> IntegrationConfig:
    """Switch an integration configuration on, and send what was left meanwhile."""
    with call.writing() as tx:
        return call.services.integrations.enable(tx, call.path["id"])


# --- what there is ------------------------------------------------------------------------------


def _available_routes() -> Iterator[Route]:
    base = "integrationconfigs/available"
    of_type = (QueryParameter("entityType"),)
    query = (QueryParameter("systemName"), *of_type)
    yield _route(
        "GET",
        base,
        READ,
        get_available,
        "getAvailableConfig",
        answer=available.AvailableConfiguration,
        query=query,
    )
    systems: dict[str, Any] = {"answer": list[available.SystemAnswer], "query": of_type}
    yield _route("GET", f"{base}/systems", READ, list_systems, "getAvailableSystems", **systems)
    path = f"{base}/{{systemName}}/auth/{{entityType}}"
    yield _route("GET", path, READ, list_auth, "getAvailableAuth", answer=list[available.ConfigSetting])
    path = f"{base}/{{systemName}}/entities"
    yield _route("GET", path, READ, list_entities, "getAvailableEntities", answer=list[available.EntityName])
    path = "integrationconfigs/values/{systemName}/{configOption}"
    yield _route("GET", path, READ, list_values, "getConfigOptionValues", answer=available.OptionValues)


def get_available(call: Call) -> available.AvailableConfiguration:
    """Show what can be configured, and what is."""
    with call.reading() as tx:
        configs = tx.find(IntegrationConfig)
    registry = call.services.integrations.registry
    return available.available(registry, configs, call.one("systemName"), call.one("entityType"))


def list_systems(call: Call) -> list[available.SystemAnswer]:
    """List the systems that can be configured."""
    registry = call.services.integrations.registry
    found = available.systems_of(registry, call.one("entityType"))
    return [available.system_answer(registry, each) for each in found]


def list_auth(call: Call) -> list[available.ConfigSetting]:
    """List the fields of a system's credentials."""
    system = _system(call, call.path["systemName"])
    return available.auth_settings(system)


def list_entities(call: Call) -> list[available.EntityName]:
    """List the entity types that a system takes."""
    system = _system(call, call.path["systemName"])
    return [available.EntityName(name=each, readable_name=each) for each in system.entities]


def list_values(call: Call) -> available.OptionValues:
    """List the values that an option can have."""
    return available.option_values(_system(call, call.path["systemName"]), call.path["configOption"])


def _system(call: Call, name: str) -> System:
    found = call.services.integrations.registry.system(name)
    if found is None:
        raise ResourceNotFound(f"There is no system {name[:60]!r}.")
    return found


# --- runs ---------------------------------------------------------------------------------------


def _run_routes() -> Iterator[Route]:
    base = "integrationruns"
    filters = (
        QueryParameter("startDate"),
        QueryParameter("endDate"),
        QueryParameter("status", RunStatus),
        QueryParameter("order", Literal["ASC", "DESC"]),
    )
    listed: dict[str, Any] = {"answer": Page[IntegrationRun]}
    query = (*paging(LARGEST_PAGE), *filters)
    path = f"{base}/destinations/{{destinationId}}"
    more = (*query, QueryParameter("destination"))
    yield _route("GET", path, READ_RUN, runs_of_destination, "listRunsOfDestination", query=more, **listed)
    yield _route("GET", f"{base}/logs/{{id}}", READ_RUN, get_log, "getRunLog", answer=IntegrationRunLog)
    path = f"{base}/{{entityType}}/latest"
    ids = (QueryParameter("ids", list[str]),)
    yield _route("GET", path, READ_RUN, latest_of_ids, "getLatestRunOfIds", answer=IntegrationRun, query=ids)
    path = f"{base}/{{entityType}}/latest/{{entityId}}"
    yield _route("GET", path, READ_RUN, latest_of_one, "getLatestRun", answer=IntegrationRun)
    path = f"{base}/{{entityType}}/{{entityId}}"
    yield _route("GET", path, READ_RUN, runs_of_entity, "listRuns", query=query, **listed)
    yield _route("GET", f"{base}/{{id}}", READ_RUN, get_run, "getRun", answer=IntegrationRun)
    yield _route("GET", f"{base}/{{id}}/file", READ_RUN, get_file, "getRunFile")


def runs_of_destination(call: Call) -> Page[IntegrationRun]:
    """List the runs of a destination."""
    clauses = [_runs.c.destination_id == call.path["destinationId"]]
    destination = call.one("destination")
    return _runs_page(
        call, [*clauses, *([_runs.c.destination == destination.upper()] if destination else [])]
    )


def runs_of_entity(call: Call) -> Page[IntegrationRun]:
    """List the runs about one entity."""
    mine = (
        _runs.c.entity_type == call.path["entityType"],
        _runs.c.entity_id == call.path["entityId"].lower(),
    )
    return _runs_page(call, list(mine))


def _runs_page(call: Call, clauses: list[ColumnElement[bool]]) -> Page[IntegrationRun]:
    page = call.page(LARGEST_PAGE)
    clauses += call.clauses((By("status", "status", item=RunStatus),), _runs)
    start, end, order = call.one("startDate"), call.one("endDate"), call.one("order")
    if start:
        clauses.append(_runs.c.dt_created >= instant("startDate", start))
    if end:
        clauses.append(_runs.c.dt_created < instant("endDate", end))
    if order not in {None, "ASC", "DESC"}:
        raise InvalidBody([Problem("order", "unknown_value", "must be one of ASC, DESC")])
    with call.reading() as tx:
        return service.page_of_runs(tx, page, clauses, oldest_first=order == "ASC")


def latest_of_ids(call: Call) -> IntegrationRun:
    """Get the newest run about any of these entities."""
    ids = [each.lower() for each in split(call.query.get("ids", []))]
    with call.reading() as tx:
        return service.latest_run(tx, call.path["entityType"], ids)


def latest_of_one(call: Call) -> IntegrationRun:
    """Get the newest run about an entity."""
    with call.reading() as tx:
        return service.latest_run(tx, call.path["entityType"], [call.path["entityId"].lower()])


def get_run(call: Call) -> IntegrationRun:
    """Get a run."""
    with call.reading() as tx:
        return tx.get(IntegrationRun, call.path["id"])


def get_log(call: Call) -> IntegrationRunLog:
    """Get what went to and fro in a run."""
    with call.reading() as tx:
        run = tx.get(IntegrationRun, call.path["id"])
    return IntegrationRunLog(payload=encode_whole(run.log))


def get_file(call: Call) -> FileAnswer:
    """Get the accounting file that a run wrote."""
    with call.reading() as tx:
        run = tx.get(IntegrationRun, call.path["id"])
    if run.status is not RunStatus.COMPLETE or run.url is None or not run.url.endswith("/file"):
        raise ResourceNotFound("This run wrote no file.")
    path = call.services.files.path(drop_key(call.org_id, run.id))
    return FileAnswer(path, "text/csv", f"{run.external_id}.csv")


# --- external mappings --------------------------------------------------------------------------


def _mapping_routes() -> Iterator[Route]:
    paged: dict[str, Any] = {"answer": Page[ExternalMapping], "query": paging(LARGEST_PAGE)}
    path = "externalmappings/external/{entity}/{m3terId}"
    yield _route("GET", path, READ_MAPPING, mappings_of_ours, "listMappingsOfEntity", **paged)
    path = "externalmappings/externalid/{system}/{externalTable}/{externalId}"
    yield _route("GET", path, READ_MAPPING, mappings_of_theirs, "listMappingsOfExternal", **paged)
    base = "externalmappingconfiguration"
    answer = available.MappingConfiguration
    yield _route("GET", base, READ_MAPPING, get_mapping_config, "getMappingConfiguration", answer=answer)
    values: dict[str, Any] = {
        "answer": list[available.ExternalEntity],
        "query": (QueryParameter("externalTable"),),
    }
    path = f"{base}/values/{{destination}}/{{entityType}}"
    yield _route("GET", path, READ_MAPPING, mapping_values, "listMappingValues", **values)
    path = f"{path}/{{integrationCredentialsId}}"
    yield _route("GET", path, READ_MAPPING, mapping_values, "listMappingValuesOfCredentials", **values)


def mappings_of_ours(call: Call) -> Page[ExternalMapping]:
    """List what other systems call something of ours."""
    mine = (
        _mappings.c.m3ter_entity.ilike(_literal(call.path["entity"])),
        _mappings.c.m3ter_id == call.path["m3terId"].lower(),
    )
    return _mappings_page(call, *mine)


def mappings_of_theirs(call: Call) -> Page[ExternalMapping]:
    """List what of ours something of another system is."""
    path = call.path
    clauses = (
        _mappings.c.external_system == path["system"],
        _mappings.c.external_table == path["externalTable"],
        _mappings.c.external_id == path["externalId"],
    )
    return _mappings_page(call, *clauses)


def _mappings_page(call: Call, *clauses: ColumnElement[bool]) -> Page[ExternalMapping]:
    page = call.page(LARGEST_PAGE)
    with call.reading() as tx:
        return tx.page(ExternalMapping, page, clauses)


def _literal(text: str) -> str:
    """Write a text so that LIKE takes it as it is."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def get_mapping_config(call: Call) -> available.MappingConfiguration:
    """Show what can be mapped to what."""
    return available.mapping_configuration(call.services.integrations.registry)


def mapping_values(call: Call) -> list[available.ExternalEntity]:
    """List what another system has that something of ours can be mapped to.

    With stored credentials the system is asked; without, what is mapped already is listed.
    """
    integrations = call.services.integrations
    system, entity_type, table = (
        _system(call, call.path["destination"]),
        call.path["entityType"],
        call.one("externalTable"),
    )
    credentials_id = call.path.get("integrationCredentialsId")
    with call.reading() as tx:
        found = available.mapped_values(tx, system.name, entity_type, table)
        secrets = integrations.secrets(tx, credentials_id) if credentials_id else None
    if secrets is not None:
        known = integrations.registry.adapter(system.name).known(entity_type, table, secrets)
        found |= {i: available.ExternalEntity(external_id=i, external_name=name) for i, name in known}
    return list(found.values())


# --- marketplaces -------------------------------------------------------------------------------


def report(call: Call) -> Page[MarketplaceUsageReport]:
    """Report the usage of bills to marketplaces."""
    page = call.page(LARGEST_REPORT)
    clauses = call.clauses((By("accountId", "account_id"), By("billId", "id")), _bills)
    start = call.one("billStartDate")
    if start:
        clauses.append(_bills.c.start_date == _day(start))
    with call.reading() as tx:
        return usage_report(tx, page, clauses, call.one("externalSystem"))


def _day(given: str) -> Any:
    at: datetime = instant("billStartDate", given)
    return at.date()
