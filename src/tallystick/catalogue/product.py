"""Products: what plans are for."""

from tallystick.platform.resources import Code, CustomFields, Entity, Name, resource


@resource("products", event="configuration.product", unique=("code",), max_page_size=200)
class Product(Entity, kw_only=True):
    """Something a vendor sells by its use."""

    name: Name
    code: Code
    custom_fields: CustomFields = {}
