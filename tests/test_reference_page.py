"""The reference is that of the code."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from psseg.reference_page import MODULES, public_names, reference_page, user_commands

PAGE = Path(__file__).parents[1] / "docs" / "reference.md"


@pytest.fixture(scope="module")
def page():
    return reference_page()


def test_the_page_is_up_to_date(page):
    assert PAGE.read_text("utf-8") == page, (
        "stale: python -m psseg.reference_page docs/reference.md"
    )


def test_every_option_of_every_command_is_on_it(page):
    shared = page.partition("### ")[0]
    for name, command in user_commands().items():
        section = page.partition(f"### `{name}`\n")[2].partition("\n### ")[0]
        for option in command.params:
            if isinstance(option, click.Option):
                row = f"| `{', '.join(option.opts)}"
                assert row in section or row in shared, f"{name} {option.opts}"


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_on_it(page, module):
    section = page.partition(f"### `{module}`\n")[2].partition("\n### ")[0]
    for name in public_names(module):
        assert f"| `{name}(" in section or f"| `class {name}`" in section


def test_angles_are_text_and_bars_are_in_their_cells(page):
    for line in page.splitlines():
        outside = "".join(line.split("`")[::2])
        assert "<" not in outside.replace(r"\<", "") or line.startswith("    "), line
        if line.startswith("|"):
            assert line.replace(r"\|", "").count("|") == 3, line
