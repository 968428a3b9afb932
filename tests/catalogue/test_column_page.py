"""The page of columns is that of the declarations."""

from __future__ import annotations

from pathlib import Path

import pytest

from psseg.catalogue.column_page import column_page
from psseg.catalogue.columns import COLUMNS
from psseg.catalogue.radio_columns import COMPONENT_COLUMNS, RADIO_COLUMNS

PAGE = Path(__file__).parents[2] / "docs" / "columns.md"


def test_the_page_is_up_to_date():
    made = column_page()
    assert PAGE.read_text("utf-8") == made, (
        "stale: python -m psseg.catalogue.column_page docs/columns.md"
    )


@pytest.mark.parametrize("columns", [COLUMNS, RADIO_COLUMNS, COMPONENT_COLUMNS])
def test_every_column_is_on_it(columns):
    page = column_page()
    for column in columns:
        end = f"{column.unit} | `{column.ucd}` | {column.description} |"
        assert any(
            line.startswith(f"| `{column.name}` | ") and line.endswith(end)
            for line in page.splitlines()
        )


def test_tables_are_whole():
    columns = 0
    for line in column_page().splitlines():
        bars = line.count("|")
        assert bars == columns or not bars or not columns, line
        columns = bars
