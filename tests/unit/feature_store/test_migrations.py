"""The tables' text and the catalogue agree."""

import re

import pytest

from contracts.features import FEATURES, VIEWS, View
from feature_store.migrate import FOLDER

TEXT = "\n".join(file.read_text() for file in sorted(FOLDER.glob("*.sql")))
TYPES = {"float": "double precision", "json": "jsonb"}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_view_s_table_has_a_column_of_its_type_for_each_feature(view: View) -> None:
    (body,) = re.findall(rf"CREATE TABLE {view.table} \((.*?)\n\);", TEXT, re.DOTALL)
    for feature in (feature for feature in FEATURES if feature.view is view):
        assert re.search(rf"^\s+{feature.name}\s+{TYPES[feature.kind]},", body, re.MULTILINE), feature.name


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [int(file.name[:4]) for file in sorted(FOLDER.glob("*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))
