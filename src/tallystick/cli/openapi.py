"""`tallystick openapi`: the document of this version's API."""

from pathlib import Path

import msgspec

from tallystick.cli.errors import CommandError
from tallystick.cli.output import on_error, print_json


def openapi(file: Path | None = None) -> None:
    """Print the OpenAPI 3.1 document of this version, as JSON. No server is needed.

    Parameters
    ----------
    file
        Write it there instead of to standard output.
    """
    from tallystick.wiring import openapi_document  # noqa: PLC0415 - slow to import, and a help page is quick

    document = openapi_document()
    if file is None:
        print_json(document)
        return
    try:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror or error}.") from error
    on_error().print(f"wrote {file}: {len(document['paths'])} paths", soft_wrap=True)
