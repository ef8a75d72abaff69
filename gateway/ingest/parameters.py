"""The name of a testcase apart from the parameters it ran with, where its form leaves no doubt.

`test_x[3-a]` of pytest and JUnit 4, `test(int)[1]` and `test{int}[1]` of JUnit 5 (the signature stays: overloads are
tests of their own), `Method(x: 1)` of xUnit.net, `testX with data set #0` of PHPUnit, and `Works/0` of GoogleTest where
the testcase has a `value_param`. Titles in prose (Jest, Kotest, RSpec) and display names (`[1] a` of Gradle, which
leaves out the method) stay whole: nobody can tell what is a parameter in them.
"""

import re
from collections.abc import Mapping

_FORMS = (
    re.compile(r"([^\s\[\](){}]+(?:\([^()\[\]]*\)|\{[^{}\[\]]*\})?)\[(.*)\]", re.DOTALL),
    re.compile(r"([^\s\[\](){}]+)\((\w+: .*)\)", re.DOTALL),
    re.compile(r"(\w+) with data set (.+)", re.DOTALL),
)
_INDEXED = re.compile(r"([^\s/]+)/([^\s/]+)")


def apart(name: str, attributes: Mapping[str, str]) -> tuple[str, str | None]:
    """The bare name, and the parameters if any; `attributes` are the testcase's.

    >>> apart("test_x[3-a]", {}), apart("adds [1, 2]", {}), apart("add(int, int)[2]", {})
    (('test_x', '3-a'), ('adds [1, 2]', None), ('add(int, int)', '2'))
    """
    forms = (*_FORMS, _INDEXED) if "value_param" in attributes else _FORMS
    for form in forms:
        if found := form.fullmatch(name):
            return found[1], found[2]
    return name, None
