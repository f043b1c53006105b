"""What mkdocs does to a page before it is rendered: it takes out what only the tests read.

`console exact` and the notes above a block (`<!-- exit: 3 -->`) are for tests/contract/test_docs.py. The renderer takes
a second word after the language for a mistake and would show the fence itself.
"""

from __future__ import annotations

import re

_EXACT = re.compile(r"^(`{3,}console) exact$", re.MULTILINE)
_NOTE = re.compile(r"^<!-- [a-z ]+: .* -->\n", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """The text of a page without what is not for readers."""
    return _NOTE.sub("", _EXACT.sub(r"\1", markdown))
