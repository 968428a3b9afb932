"""What the README and the commands' help say is what psseg does."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import click
import pytest

import psseg
from psseg.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def psseg_lines(text):
    joined = text.replace("\\\n", " ")
    return re.findall(r"^\s*(?:\$ )?(?:.*&& )?(psseg .*)$", joined, flags=re.MULTILINE)


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
    for block in blocks(text, "console") + blocks(text, "bash"):
        for line in psseg_lines(block):
            parse(line)


def test_the_first_two_blocks_install_demonstrate_and_test():
    first, second = blocks(README, "bash")[:2]
    assert first.strip() == "pip install . && psseg demo -o demo"
    assert second.strip() == "pip install '.[test]' && pytest"


def test_python_in_the_readme_uses_names_that_exist():
    for block in blocks(README, "python"):
        imports = [line for line in block.splitlines() if line.startswith("from psseg")]
        assert imports
        compile(block, "README.md", "exec")
        exec("\n".join(imports), {})


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_packages_of_the_wheel_are_those_of_the_tree():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split()) - {"psseg.models"}
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "psseg").rglob("__init__.py")}
    assert listed == {".".join(folder.parts) for folder in folders}


def test_versions_agree():
    assert f"version: {psseg.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## {psseg.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
