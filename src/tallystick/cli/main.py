"""The entry point: which commands there are, and how each of them fails."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NoReturn

from cyclopts import App, Group, Parameter

from tallystick import __version__
from tallystick.cli.errors import CommandError
from tallystick.cli.output import on_error, print_error
from tallystick.kernel.errors import TallystickError

HELP = "Usage-based pricing you can host yourself: raw usage in, bills that explain themselves out."
EXAMPLES = """\
**Examples**

    tallystick demo                       a month of real usage, billed
    tallystick admin bootstrap "Acme" you@acme.example --save
    tallystick serve                      start; Ctrl-C stops
    tallystick ingest usage.csv           send usage; resumable
    tallystick bill run --month 2026-01   bill January 2026
    tallystick bill explain BILL          where each amount comes from

Every command has its own `--help`. Settings are environment variables: `tallystick config` lists them.
"""
FAILED, INTERRUPTED = 1, 130
STDIN = "/dev/stdin"

server_group = Group("Server", sort_key=1)
client_group = Group("Talking to a running server", sort_key=2)
everywhere = Group("Everywhere", sort_key=90)
COMMANDS = {
    "demo": (server_group, "Bill a month of real usage in a throw-away home, and check every total."),
    "serve": (server_group, "Start the server: API, jobs and both engines in one process."),
    "worker": (server_group, "Run jobs only, beside servers on the same external engines."),
    "config": (server_group, "Show the effective settings, secrets masked."),
    "openapi": (server_group, "Print the OpenAPI document of this version."),
    "ingest": (client_group, "Send a file of usage: CSV, JSON lines or Parquet."),
    "mcp": (client_group, "Let an assistant look at usage and bills (Model Context Protocol)."),
    "verify": (client_group, "Compute a bill again from stored usage and compare."),
}
GROUPS = {
    "admin": (
        server_group,
        "Set up and maintain a home.",
        {
            "bootstrap": "Make an organization, its administrator and an access key, and print them once.",
            "migrate": "Bring the database to this version.",
        },
    ),
    "admin audit": (
        server_group,
        "Check the record of changes.",
        {"verify": "Compute the chain of hashes of the audit log again and compare."},
    ),
    "admin support": (
        server_group,
        "Say who may support organizations that let them in.",
        {"add": "Make a user a support user.", "remove": "Let a user be one no longer."},
    ),
    "admin usage": (
        server_group,
        "Measure stored usage, and drop old months of it.",
        {
            "stats": "Tell how much usage is stored.",
            "drop-before": "Drop the usage of whole months before a date, for good.",
        },
    ),
    "bill": (
        client_group,
        "Run, show and explain bills, and save them as PDF.",
        {
            "run": "Run bills and list them, the largest first.",
            "show": "Show a bill and its lines.",
            "simulate": "Rate a period under other prices, and store nothing.",
            "explain": "Explain where the amounts of a bill come from.",
            "pdf": "Save a bill as PDF, as it is sent to the customer.",
        },
    ),
    "export": (
        client_group,
        "Save usage, or what is stored, as files.",
        {
            "usage": "Export measurements.",
            "operational": "Export accounts, plans, bills and what else is stored.",
            "download": "Save the file of an export that was made already.",
        },
    ),
    "testclock": (
        client_group,
        "See an organization's test clock, and move it on.",
        {
            "show": "Show where the test clock stands.",
            "move": "Start the test clock, or move it on.",
        },
    ),
    "webhook": (
        client_group,
        "See webhooks and what they were sent, try them out.",
        {
            "list": "List webhooks, or the deliveries of one.",
            "test": "Send a message to a webhook now, and tell what it answered.",
            "redeliver": "Send a message to a webhook again.",
        },
    ),
}


def make_app(given: Sequence[str] = ()) -> App:
    """Make the command tree. Commands are named by path, so only the one that runs is imported.

    given: the words of the command line. A command that is among them brings its docstring as its help;
    of the others a sentence for the list is enough.
    """
    app = App(
        name="tallystick",
        help=HELP,
        help_epilogue=EXAMPLES,
        help_format="markdown",
        version=__version__,
        error_console=on_error(),
        result_action="return_value",
        default_parameter=Parameter(negative=(), show_default=False),
        suppress_keyboard_interrupt=False,
    )
    for name, (group, summary) in COMMANDS.items():
        told = {"help_epilogue": ""} if name in given else {"help": summary}
        app.command(f"tallystick.cli.{name}:{name}", name=name, group=group, **told)
    groups: dict[str, App] = {"": app}
    for words, (group, summary, commands) in GROUPS.items():
        above, _, name = words.rpartition(" ")
        inner = App(name=name, help=summary, help_epilogue="", group=None if above else group)
        for command, meaning in commands.items():
            told = {} if command in given else {"help": meaning}
            function = command.replace("-", "_")
            inner.command(f"tallystick.cli.{name}:{function}", name=command, **told)
        groups[above].command(inner)
        groups[words] = inner
    app.meta.suppress_keyboard_interrupt = False
    app.meta.default(_launcher(app))
    return app


def _launcher(app: App) -> Callable[..., Any]:
    def launch(
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        debug: Annotated[bool, Parameter(group=everywhere)] = False,
        no_color: Annotated[bool, Parameter(group=everywhere)] = False,
    ) -> Any:
        """Run a command.

        Parameters
        ----------
        debug
            Show the whole traceback of an error.
        no_color
            Print without colours, as NO_COLOR=1 does.
        """
        if no_color:
            os.environ["NO_COLOR"] = "1"
        try:
            # A lone hyphen would be taken for an option with its name missing.
            return app([STDIN if word == "-" else word for word in tokens])
        except (TallystickError, CommandError) as error:
            if debug:
                raise
            print_error(error)
            sys.exit(FAILED)
        except Exception as error:
            if debug or isinstance(error, BrokenPipeError):
                raise
            told = f"Something went wrong inside: {type(error).__name__}: {error}"
            print_error(CommandError(told, hint="Run it again with --debug for the traceback."))
            sys.exit(FAILED)

    return launch


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 refused or failed, 2 wrongly used, 130 interrupted."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        result = make_app(given).meta(given)
    except KeyboardInterrupt:
        on_error().print("interrupted", style="yellow")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # `tallystick … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(result if isinstance(result, int) else 0)


if __name__ == "__main__":
    main()
