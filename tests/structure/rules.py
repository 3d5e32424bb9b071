"""The rules of docs/development.md that the syntax tree can prove.

Each rule takes one Source and yields findings, `place:line: what is wrong; what to do instead`.
`test_rules.py` shows each rule a bad snippet, so that none of them can go blind unnoticed.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator

from tests.structure.source import Source

MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 800

PURE = ("kernel/", "calc/", "rating/", "billing/calculate.py", "billing/calculate/")
MONEY = ("kernel/", "rating/", "calc/", "pricing/", "balances/", "billing/", "statements/")
HISTORY = ("migrations/versions/",)  # straight lists of statements, never edited once they are out
DECIMALS = "kernel/decimals.py"
CLOCK = "platform/clock.py"
PLUMBING = ("platform/", "api/", "console/", "cli/", "worker/", "migrations/", "wiring.py", "__main__.py")

PURE_LIBRARIES = {"tallystick", "msgspec", "lark"}
IMPURE_STANDARD = {
    *("asyncio", "concurrent", "fcntl", "fileinput", "ftplib", "getpass", "glob", "http", "importlib", "io"),
    *(
        "logging",
        "mmap",
        "multiprocessing",
        "os",
        "pathlib",
        "pickle",
        "platform",
        "queue",
        "random",
        "sched",
    ),
    *("secrets", "select", "selectors", "shelve", "shutil", "signal", "smtplib", "socket", "socketserver"),
    *("sqlite3", "ssl", "subprocess", "sys", "syslog", "tempfile", "threading", "time", "urllib", "warnings"),
    *("webbrowser", "zipfile"),
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "breakpoint", "__import__"}
FRESH_IDS = {"uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7"}

WALL_CLOCK = {
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    "datetime.date.today",
    *(f"time.{name}" for name in ("time", "time_ns", "localtime", "gmtime", "ctime", "asctime", "strftime")),
}
NOQA = re.compile(r"#\s*(?:ruff:\s*)?noqa\b(?P<codes>:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)?(?P<reason>.*)")


def is_in(source: Source, places: Iterable[str]) -> bool:
    """Tell whether a file is one of these places: folders end with a slash."""
    return any(
        source.place == place or (place.endswith("/") and source.place.startswith(place)) for place in places
    )


def finding(source: Source, line: int, message: str) -> str:
    """Format a finding."""
    return f"{source.place}:{line}: {message}"


def imports(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """List what a module imports: (line, name it has here, full dotted name)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]  # `import a.b` binds a; `import a.b as c` binds a.b
                yield node.lineno, alias.asname or top, alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                yield node.lineno, alias.asname or alias.name, f"{node.module}.{alias.name}"


def used_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """List dotted names as they are used, aliases resolved: (line, `datetime.datetime.now`)."""
    known = {here: full for _, here, full in imports(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            first, *rest = ast.unparse(node).split(".")
            yield node.lineno, ".".join([known.get(first, first), *rest])


def pure_does_no_io(source: Source) -> Iterator[str]:
    """Pure packages compute: they never touch files, network, processes, randomness, logs or the clock."""
    if not is_in(source, PURE):
        return
    instead = "load it before and hand it in (docs/development.md, rule 1)"
    for line, _, full in imports(source.tree):
        top = full.split(".")[0]
        is_pure = top in PURE_LIBRARIES or (top in sys.stdlib_module_names and top not in IMPURE_STANDARD)
        if not is_pure:
            yield finding(source, line, f"a pure module imports {top}; {instead}")
    for line, name in used_names(source.tree):
        if name in FRESH_IDS | WALL_CLOCK:
            yield finding(source, line, f"a pure module uses {name}; {instead}")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in IMPURE_CALLS:
                yield finding(source, node.lineno, f"a pure module calls {called.id}(); {instead}")
            if isinstance(called, ast.Attribute) and called.attr == "now":
                yield finding(
                    source, node.lineno, "a pure module asks for the time; take the instant as an argument"
                )


def money_is_decimal(source: Source) -> Iterator[str]:
    """Money and quantities never meet a float."""
    if not is_in(source, MONEY) or source.place == DECIMALS:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield finding(source, node.lineno, f'a float, {node.value}; write Decimal("{node.value}")')
        elif isinstance(node, ast.Name) and node.id == "float":
            yield finding(source, node.lineno, "the type float; use Decimal, built from a string")
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in {
            "math.sqrt",
            "math.fsum",
            "statistics.mean",
        }:
            yield finding(source, node.lineno, f"{ast.unparse(node)} answers a float; compute with Decimal")


def money_divides_in_one_place(source: Source) -> Iterator[str]:
    """Only kernel.decimals divides and rounds, with places and mode spelled out."""
    if not is_in(source, MONEY) or source.place == DECIMALS:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield finding(
                source, node.lineno, "a division; use kernel.decimals.divide, or allocate for a split"
            )
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "round" or called.endswith((".quantize", ".to_integral_value", "truediv")):
                yield finding(
                    source, node.lineno, f"{called}(); use kernel.decimals.round_to with places and mode"
                )
        elif isinstance(node, ast.Attribute) and node.attr in {"getcontext", "setcontext", "localcontext"}:
            yield finding(
                source, node.lineno, f"{node.attr}; the decimal context is set in kernel/decimals.py alone"
            )


def wall_clock_in_one_place(source: Source) -> Iterator[str]:
    """Only platform/clock.py looks at the wall clock."""
    if source.place == CLOCK:
        return
    for line, name in used_names(source.tree):
        if name in WALL_CLOCK:
            instead = "take a kernel.clock.Clock and ask it (it may be a test clock)"
            yield finding(source, line, f"{name} looks at the wall clock; {instead}")


def sizes(source: Source) -> Iterator[str]:
    """Functions have at most 70 lines, files at most 800; migrations may be as long as they are."""
    if is_in(source, HISTORY):
        return
    lines = source.text.count("\n")
    if lines > MAX_FILE_LINES:
        message = f"{lines} lines, at most {MAX_FILE_LINES}; make it a folder of the same name, split by noun"
        yield finding(source, lines, message)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                message = (
                    f"{node.name} has {length} lines, at most {MAX_FUNCTION_LINES}; one level of work each"
                )
                yield finding(
                    source, node.lineno, message + ": keep the branches here, move loops to helpers"
                )


def domains_catch_what_they_answer(source: Source) -> Iterator[str]:
    """Refuse to catch everything in a domain: a bug must crash, not turn into a wrong bill."""
    if is_in(source, PLUMBING):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = "everything" if node.type is None else ast.unparse(node.type)
            is_broad = node.type is None or re.search(r"\b(Base)?Exception\b", caught)
            if is_broad and not hands_on(node):
                message = f"catches {caught}; name the errors you can answer and let bugs crash"
                yield finding(source, node.lineno, message)


def hands_on(handler: ast.ExceptHandler) -> bool:
    """Tell whether the handler only tidies up: it raises again, or gives the error to its waiter."""
    nodes = list(ast.walk(handler))
    raises = any(isinstance(node, ast.Raise) and node.exc is None for node in nodes)
    return raises or any(isinstance(node, ast.Attribute) and node.attr == "set_exception" for node in nodes)


def opt_outs_have_reasons(source: Source) -> Iterator[str]:
    """Ask each `noqa` for its codes and its reason."""
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        match = NOQA.search(token.string) if token.type == tokenize.COMMENT else None
        if match and not (match["codes"] and re.match(r"\s+-\s+\w", match["reason"])):
            message = "an opt-out without a reason; write `noqa: CODE - why` or mend the line"
            yield finding(source, token.start[0], message)


def config_opt_outs_have_reasons(pyproject: str) -> Iterator[str]:
    """Every rule switched off in pyproject.toml says why on its line."""
    section = pyproject.partition("[tool.ruff.lint]")[2].partition("[tool.ruff.lint.pydocstyle]")[0]
    for line in section.splitlines():
        opts_out = re.match(r'\s*(?:"[^"]+"\s*=\s*\[\s*)?"[A-Z]+\d*"', line)
        if opts_out and not re.search(r"#\s*\w.{5,}", line):
            yield f"pyproject.toml: {line.strip()}: switched off without a reason; say why on the same line"
