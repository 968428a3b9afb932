"""What the README and the commands' help say is what psseg does."""

from __future__ import annotations

import configparser
import re
import shlex

import click
import pytest
from documents import DOCUMENTS, README, ROOT, blocks, psseg_lines

import psseg
from psseg.cli import main


def commands(group=main, name=()):
    for part, command in group.commands.items():
        yield (*name, part), command
        if isinstance(command, click.Group):
            yield from commands(command, (*name, part))


def parse(line):
    """Read a command line as the shell and click would, without running anything."""
    words = shlex.split(line)[1:]
    group = main
    while isinstance(group, click.Group):
        name, *words = words
        assert name in group.commands, f"no command {name!r} in {line!r}"
        group = group.commands[name]
    if "--help" not in words:
        group.make_context(name, words)


ALL = dict(commands())


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_every_command_has_a_real_example_and_a_summary(name):
    text = ALL[name].help
    examples = psseg_lines(text.partition("Examples:")[2])
    assert examples, f"{' '.join(name)} --help shows no example"
    assert all(shlex.split(line)[1 : 1 + len(name)] == list(name) for line in examples)
    for line in examples:
        parse(line)


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_every_option_is_explained(name):
    if isinstance(ALL[name], click.Group):
        return
    for option in ALL[name].params:
        if isinstance(option, click.Option):
            assert option.help, f"{' '.join(name)} {option.opts[0]} has no help"


def test_every_command_is_in_the_reference():
    reference = README.partition("## Commands")[2].partition("\n## ")[0]
    for name, command in ALL.items():
        if not isinstance(command, click.Group):
            assert f"`psseg {' '.join(name)}" in reference


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_the_documents_parse(path):
    text = path.read_text("utf-8")
    for block in blocks(text, "console") + blocks(text, "bash") + blocks(text, "sh"):
        for line in psseg_lines(block):
            parse(line)


def test_the_first_two_blocks_install_demonstrate_and_test():
    first, second = blocks(README, "bash")[:2]
    assert first.strip() == "pip install . && psseg demo -o demo"
    assert second.strip() == "pip install '.[test]' && pytest"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path):
    for target, part in re.findall(
        r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", path.read_text("utf-8")
    ):
        linked = path.parent / target if target else path
        assert linked.exists(), f"{path.name} links to {target}"
        assert not part or part in headings(linked), f"{path.name} links to {target}#{part}"


def headings(path):
    """Give what GitHub calls the headings of a page in links."""
    lines = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    for path in (ROOT / "docs").glob("*.md"):
        assert path.name == "index.md" or f"({path.name})" in index


def test_pictures_are_small_and_shown():
    for path in (ROOT / "docs" / "gallery").glob("*.png"):
        assert path.stat().st_size < 150_000
        assert f"docs/gallery/{path.name}" in README


def test_the_packages_of_the_wheel_are_those_of_the_tree():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split()) - {"psseg.models"}
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "psseg").rglob("__init__.py")}
    assert listed == {".".join(folder.parts) for folder in folders}


def test_versions_agree():
    assert f"version: {psseg.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## {psseg.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
