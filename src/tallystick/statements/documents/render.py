"""Set a page as PDF with Typst: no network, our own fonts, the same bytes for the same page.

What customers wrote reaches the template as JSON, never as markup, so it is text whatever it says.
"""

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

import typst

from tallystick.platform.resources.wire import encode_whole
from tallystick.statements.documents.page import Page

HERE: Final = Path(__file__).parent
FONTS: Final = HERE.joinpath("fonts")
TEMPLATES: Final = HERE.joinpath("templates")
ARCHIVED: Final = ("a-2a",)
"Readable in decades, and by screen readers: PDF/A-2a."


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS])


def render_pdf(page: Page, at: datetime) -> bytes:
    """Give the document. at: the instant it says it was made, to the second: PDF has nothing finer."""
    second = at.replace(microsecond=0)
    compiler = typst.Compiler(
        TEMPLATES.joinpath("document.typ"),
        root=TEMPLATES,
        font_paths=_fonts(),
        ignore_system_fonts=True,
        sys_inputs={"page": encode_whole(page)},
    )
    try:
        made = compiler.compile(format="pdf", timestamp=second, pdf_standards=list(ARCHIVED))
    except typst.TypstError:  # the standards refuse a sign that no font of ours has; a box stands for it then
        made = compiler.compile(format="pdf", timestamp=second)
    if not isinstance(made, bytes):
        raise TypeError("a PDF is one file")
    return made
