"""What a command refuses or fails at, told to the person who typed it."""

from collections.abc import Iterable

from tallystick.kernel.problems import Problem


class CommandError(Exception):
    """A command cannot go on. `message` says what is wrong, `hint` what to do."""

    def __init__(
        self, message: str, *, hint: str = "", problems: Iterable[Problem] = (), code: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = tuple(problems)
        self.code = code
