"""Keep who may do what, and how they come in."""

import json
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"


_ACCESS_TYPES = (
    "user",
    "invitation",
    "permissionpolicy",
    "resourcegroup",
    "serviceuser",
    "accesskey",
    "support",
    "singlesignon",
)
_READ = [
    "CONFIG_RETRIEVE",
    "ANALYTICS_QUERY",
    "MEASUREMENTS_RETRIEVE",
    "FORECAST_RETRIEVE",
    "HEALTHSCORES_RETRIEVE",
    "ANOMALIES_RETRIEVE",
]
_ALLOW_EVERYTHING = {"effect": "ALLOW", "action": ["ALL"], "resource": ["*"]}
_DENY_ACCESS = {
    "effect": "DENY",
    "action": ["CONFIG_CREATE", "CONFIG_UPDATE", "CONFIG_DELETE"],
    "resource": [f"config:{each}/*" for each in _ACCESS_TYPES],
}
_SEND = ["MEASUREMENTS_UPLOAD", "MEASUREMENTS_FILEUPLOAD"]
_MANAGED: dict[str, list[Any]] = {
    "Administrator": [_ALLOW_EVERYTHING],
    "Everything but access": [_ALLOW_EVERYTHING, _DENY_ACCESS],
    "Read only": [{"effect": "ALLOW", "action": _READ, "resource": ["*"]}],
    "Send usage": [{"effect": "ALLOW", "action": _SEND, "resource": ["*"]}],
}


def upgrade() -> None:
    """Keep who may do what, and how they come in."""
    op.create_table(
        "invitations",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("m3ter_user", sa.Boolean(), nullable=True),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("last_name", sa.Text(), nullable=False),
        sa.Column("contact_number", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column(
            "permission_policy_ids",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column("dt_end_access", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_expiry", sa.DateTime(timezone=True), nullable=True),
        sa.Column("inviting_principal_id", sa.Text(), nullable=True),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_invitations"),
    )
    op.create_index("ix_invitations_email", "invitations", ["email"], unique=False)
    op.create_index(
        "ix_invitations_token_hash",
        "invitations",
        ["token_hash"],
        unique=True,
        postgresql_where=sa.text("token_hash IS NOT NULL"),
    )
    op.create_table(
        "password_resets",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_password_resets"),
    )
    op.create_index("ix_password_resets_token_hash", "password_resets", ["token_hash"], unique=True)
    op.create_index("ix_password_resets_user_id", "password_resets", ["org_id", "user_id"], unique=False)
    op.create_table(
        "permissionpolicies",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "permission_policy", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("managed_policy", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_permissionpolicies"),
    )
    op.create_table(
        "resourcegroups",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_resourcegroups"),
    )
    op.create_table(
        "sessions",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("former_token_hash", sa.Text(), nullable=True),
        sa.Column("credentials_version", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_former_token_hash", "sessions", ["former_token_hash"], unique=False)
    op.create_index("ix_sessions_token_hash", "sessions", ["token_hash"], unique=True)
    op.create_index("ix_sessions_user_id", "sessions", ["org_id", "user_id"], unique=False)
    op.create_table(
        "singlesignon",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column(
            "allowed_domains", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column(
            "permission_policy_ids",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("client_secret_sealed", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_singlesignon"),
        sa.UniqueConstraint("org_id", name="uq_singlesignon"),
    )
    op.create_table(
        "support",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("dt_end_support_users_access", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "support_users_permission_policy",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_support"),
        sa.UniqueConstraint("org_id", name="uq_support"),
    )
    op.create_table(
        "grants",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("permission_policy_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("principal_type", sa.Text(), nullable=False),
        sa.Column("principal_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "permission_policy_id"],
            ["permissionpolicies.org_id", "permissionpolicies.id"],
            name="fk_grants_permission_policy_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_grants"),
        sa.UniqueConstraint(
            "org_id",
            "permission_policy_id",
            "principal_type",
            "principal_id",
            name="uq_grants_permission_policy_id_principal_type_principal_id",
        ),
    )
    op.create_index(
        "ix_grants_permission_policy_id", "grants", ["org_id", "permission_policy_id"], unique=False
    )
    op.create_index(
        "ix_grants_principal", "grants", ["org_id", "principal_type", "principal_id"], unique=False
    )
    op.create_table(
        "resourcegroupitems",
        sa.Column("org_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dt_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dt_last_modified", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("last_modified_by", sa.Text(), nullable=True),
        sa.Column("resource_group_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("target_type", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "resource_group_id"],
            ["resourcegroups.org_id", "resourcegroups.id"],
            name="fk_resourcegroupitems_resource_group_id",
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_resourcegroupitems"),
        sa.UniqueConstraint(
            "org_id",
            "resource_group_id",
            "target_type",
            "target_id",
            name="uq_resourcegroupitems_resource_group_id_target_type_target_id",
        ),
    )
    op.create_index(
        "ix_resourcegroupitems_resource_group_id",
        "resourcegroupitems",
        ["org_id", "resource_group_id"],
        unique=False,
    )
    op.create_index(
        "ix_resourcegroupitems_target",
        "resourcegroupitems",
        ["org_id", "target_type", "target_id"],
        unique=False,
    )
    op.add_column("organizations", sa.Column("short_name", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("customer_id", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("address_line1", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("address_line2", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("address_line3", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("address_line4", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("locality", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("region", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("post_code", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("country", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("tax_id", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("purchase_order_number", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("invoice_general_reference", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("billing_contact_user_id1", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("billing_contact_user_id2", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("billing_contact_user_id3", sa.Text(), nullable=True))
    _add("organizations", sa.Column("type", sa.Text(), nullable=False), "'PRODUCTION'")
    _add("organizations", sa.Column("status", sa.Text(), nullable=False), "'ACTIVE'")
    organizations = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())
    _add("users", sa.Column("organizations", organizations, nullable=False), "'[]'")
    op.execute("UPDATE users SET organizations = jsonb_build_array(org_id)")
    op.add_column(
        "users", sa.Column("first_accepted_terms_and_conditions", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "users", sa.Column("last_accepted_terms_and_conditions", sa.DateTime(timezone=True), nullable=True)
    )
    _add("users", sa.Column("support_user", sa.Boolean(), nullable=False), "false")
    _add("users", sa.Column("credentials_version", sa.BigInteger(), nullable=False), "0")
    op.add_column("users", sa.Column("single_sign_on_subject", sa.Text(), nullable=True))
    _seed_managed_policies()


def _add(table: str, column: sa.Column[Any], value: str) -> None:
    """Add a column that existing rows have a value for; new rows always bring their own."""
    column.server_default = sa.DefaultClause(sa.text(value))
    op.add_column(table, column)
    op.alter_column(table, column.name, server_default=None)


def _seed_managed_policies() -> None:
    """Give the organizations that there are what new ones begin with."""
    if op.get_context().as_sql:  # printed for another day: what organizations there will be is not known
        return
    connection = op.get_bind()
    insert = sa.text(
        "INSERT INTO permissionpolicies (org_id, id, version, dt_created, dt_last_modified, name,"
        " permission_policy, managed_policy) VALUES (:org_id, :id, 1, now(), now(), :name,"
        " CAST(:statements AS jsonb), true)"
    )
    for org_id in connection.execute(sa.text("SELECT id FROM organizations")).scalars().all():
        for name, statements in _MANAGED.items():
            policy_id = str(uuid5(UUID(str(org_id)), f"managed policy {name}"))
            values = {"org_id": str(org_id), "id": policy_id, "name": name}
            connection.execute(insert, {**values, "statements": json.dumps(statements)})


def downgrade() -> None:
    """Forget policies, groups, invitations, sessions and support access."""
    op.drop_column("users", "single_sign_on_subject")
    op.drop_column("users", "credentials_version")
    op.drop_column("users", "support_user")
    op.drop_column("users", "last_accepted_terms_and_conditions")
    op.drop_column("users", "first_accepted_terms_and_conditions")
    op.drop_column("users", "organizations")
    op.drop_column("organizations", "status")
    op.drop_column("organizations", "type")
    op.drop_column("organizations", "billing_contact_user_id3")
    op.drop_column("organizations", "billing_contact_user_id2")
    op.drop_column("organizations", "billing_contact_user_id1")
    op.drop_column("organizations", "invoice_general_reference")
    op.drop_column("organizations", "purchase_order_number")
    op.drop_column("organizations", "tax_id")
    op.drop_column("organizations", "country")
    op.drop_column("organizations", "post_code")
    op.drop_column("organizations", "region")
    op.drop_column("organizations", "locality")
    op.drop_column("organizations", "address_line4")
    op.drop_column("organizations", "address_line3")
    op.drop_column("organizations", "address_line2")
    op.drop_column("organizations", "address_line1")
    op.drop_column("organizations", "customer_id")
    op.drop_column("organizations", "short_name")
    op.drop_index("ix_resourcegroupitems_target", table_name="resourcegroupitems")
    op.drop_index("ix_resourcegroupitems_resource_group_id", table_name="resourcegroupitems")
    op.drop_table("resourcegroupitems")
    op.drop_index("ix_grants_principal", table_name="grants")
    op.drop_index("ix_grants_permission_policy_id", table_name="grants")
    op.drop_table("grants")
    op.drop_table("support")
    op.drop_table("singlesignon")
    op.drop_index("ix_sessions_user_id", table_name="sessions")
    op.drop_index("ix_sessions_token_hash", table_name="sessions")
    op.drop_index("ix_sessions_former_token_hash", table_name="sessions")
    op.drop_table("sessions")
    op.drop_table("resourcegroups")
    op.drop_table("permissionpolicies")
    op.drop_index("ix_password_resets_user_id", table_name="password_resets")
    op.drop_index("ix_password_resets_token_hash", table_name="password_resets")
    op.drop_table("password_resets")
    op.drop_index(
        "ix_invitations_token_hash",
        table_name="invitations",
        postgresql_where=sa.text("token_hash IS NOT NULL"),
    )
    op.drop_index("ix_invitations_email", table_name="invitations")
    op.drop_table("invitations")
