"""An organization: a vendor, with everything it owns."""

from typing import Annotated

from tallystick.platform.resources import Entity, Hidden, Name, resource


@resource("organizations", event="configuration.organization", verbs=())
class Organization(Entity, kw_only=True):
    """A vendor. Its own id is the `org_id` of every row it owns."""

    name: Name
    demo: Annotated[bool, Hidden()] = False
