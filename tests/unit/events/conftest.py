"""What tests of telling stand on."""

from tests.support.telling import clock, database, org_id, telling_url

__all__ = ["clock", "database", "org_id", "telling_url"]
