"""Whether a TEMPLATE is one of Go's templates. Pure."""

from __future__ import annotations

import re

from ollapy.errors import InvalidRequest
from ollapy.gotemplate import Template

_JINJA = re.compile(r"\{%-?\s*(?:if|for|set|macro|generation)\b")


def check_template(text: str) -> None:
    """InvalidRequest with the line where Go would refuse the template; Jinja, which is text to Go, is refused too."""
    if jinja := _JINJA.search(text):
        line = 1 + text.count("\n", 0, jinja.start())
        raise InvalidRequest(
            f"template error: line {line}: '{{%' is Jinja, and TEMPLATE takes a Go template"
        )
    Template.parse(text)
