"""Every route of the API, in one tuple."""

import tallystick.accounts.account_plan
import tallystick.balances.charge_schedule
import tallystick.balances.commitment_entry
import tallystick.balances.transaction_schedule
import tallystick.billing.reason
import tallystick.notifications.alert
import tallystick.organizations.custom_field
import tallystick.organizations.single_sign_on
import tallystick.pricing.pricing
import tallystick.statements.definition  # noqa: F401 - importing a domain declares its resources
from tallystick.api.access import access_routes
from tallystick.api.accounts import account_routes
from tallystick.api.balances import balance_routes
from tallystick.api.bill_files import bill_file_routes
from tallystick.api.bills import bill_routes
from tallystick.api.clock import clock_routes
from tallystick.api.compound_aggregations import compound_aggregation_routes
from tallystick.api.counters import counter_routes
from tallystick.api.crud import crud_routes
from tallystick.api.docs_page import docs_routes
from tallystick.api.documents import document_routes
from tallystick.api.events import event_routes
from tallystick.api.explorer import explorer_routes
from tallystick.api.exports import export_routes
from tallystick.api.file_uploads import file_upload_routes
from tallystick.api.integrations import integration_routes
from tallystick.api.lookup_rows import lookup_row_routes
from tallystick.api.lookup_tables import lookup_table_routes
from tallystick.api.measurements import measurement_routes
from tallystick.api.memos import memo_routes
from tallystick.api.meta import meta_routes
from tallystick.api.notifications import notification_routes
from tallystick.api.oauth import oauth_routes
from tallystick.api.operator import operator_routes
from tallystick.api.statements import statement_routes
from tallystick.api.webhooks import webhook_routes

ROUTES = (
    *meta_routes(),
    *docs_routes(),
    *oauth_routes(),
    *crud_routes(),
    *access_routes(),
    *account_routes(),
    *balance_routes(),
    *bill_routes(),
    *bill_file_routes(),
    *clock_routes(),
    *memo_routes(),
    *compound_aggregation_routes(),
    *counter_routes(),
    *document_routes(),
    *event_routes(),
    *lookup_table_routes(),
    *lookup_row_routes(),
    *explorer_routes(),
    *export_routes(),
    *integration_routes(),
    *file_upload_routes(),
    *measurement_routes(),
    *notification_routes(),
    *operator_routes(),
    *statement_routes(),
    *webhook_routes(),
)
