"""The page of the documentation that lists every command and every public Python function.

In: the commands as click knows them, and the modules that scripts use. Out: Markdown.
``python -m psseg.reference_page FILE`` writes it.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from psseg.cli import main

__all__ = ["MODULES", "public_names", "reference_page", "user_commands"]

MODULES = {
    "psseg": "What scripts need most.",
    "psseg.pipeline": "The main job, from file to file and in memory.",
    "psseg.tiles.readers": "Reading counts cubes, photon lists and exposures.",
    "psseg.tiles.radio_files": "Reading radio images.",
    "psseg.network.store": "Trained networks.",
    "psseg.survey.survey": "Survey files.",
    "psseg.product_folder": "Finding the products of a map again.",
    "psseg.report": "The page for a browser.",
    "psseg.ds9": "DS9.",
    "psseg.crossmatch": "Matching and comparing catalogues: see [Cross-matching](crossmatch.md).",
    "psseg.evaluation": "Scores against a truth.",
}
"""The modules whose public names are listed, and what each is for."""

HEAD = """\
# Reference

Every command with its options, and what scripts import, generated from the code
(`python -m psseg.reference_page docs/reference.md`). The columns of the catalogues have
[a page of their own](columns.md).
"""

PYTHON = """\
## Python

What each argument is, its unit, and the errors raised are in the docstring, as are the fields of
the classes: `help(psseg.catalogue_map)`. Arguments after `*` are given by name.
"""


def reference_page() -> str:
    """Give the page.

    Returns
    -------
    str
        Markdown.
    """
    commands = user_commands()
    shared = _shared_options(commands.values())
    parts = [
        HEAD,
        "## Commands\n",
        "All commands take these:\n",
        _table(("option", "meaning"), [_option_row(option) for option in shared.values()]),
        *(_command_section(name, command, set(shared)) for name, command in commands.items()),
        PYTHON,
        *(_module_section(module, purpose) for module, purpose in MODULES.items()),
    ]
    return "\n".join(parts)


def user_commands() -> dict[str, click.Command]:
    """Give the commands by what is typed, in the order of ``psseg --help``.

    Returns
    -------
    dict of str to click.Command
        Groups are left out, the commands in them are there: ``"psseg models list"``.
    """
    return dict(_walk(main, "psseg"))


def _walk(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for part, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _walk(command, f"{name} {part}")
        else:
            yield f"{name} {part}", command


def _shared_options(commands: Any) -> dict[str, click.Option]:
    """Give the options that all commands have, by name."""
    each = [
        {option.name or "": option for option in command.params if isinstance(option, click.Option)}
        for command in commands
    ]
    return {name: option for name, option in each[0].items() if all(name in have for have in each)}


def _command_section(name: str, command: click.Command, shared: set[str]) -> str:
    """Give heading, usage, help, options and examples of a command."""
    text, _, examples = inspect.cleandoc(command.help or "").replace("\b\n", "").partition(
        "Examples:\n"
    )  # fmt: skip
    arguments = [
        str(argument.metavar or (argument.name or "").upper())
        for argument in command.params
        if isinstance(argument, click.Argument)
    ]
    options = [
        option
        for option in command.params
        if isinstance(option, click.Option) and option.name not in shared
    ]
    parts = [f"### `{name}`\n", f"    {' '.join([name, *arguments, '[OPTIONS]'])}\n"]
    parts.append(f"{_escaped(text).strip()}\n")
    if options:
        parts.append(_table(("option", "meaning"), [_option_row(option) for option in options]))
    parts.append("".join(f"    {line.strip()}\n" for line in examples.strip().splitlines()))
    return "\n".join(parts)


def _option_row(option: click.Option) -> tuple[str, str]:
    written = ", ".join(option.opts)
    value = "" if option.is_flag or option.count else f" {_value(option)}"
    notes = ["required"] if option.required else []
    if option.show_default and option.default is not None:
        notes.append(f"default: `{option.default}`")
    note = f" ({', '.join(notes)})" if notes else ""
    return f"`{written}{value}`", f"{_escaped(option.help or '')}{note}"


def _value(option: click.Option) -> str:
    """Say what an option wants."""
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    name = option.type.name.removesuffix(" range")
    return name if name.isupper() else name.upper()


def public_names(module: str) -> list[str]:
    """Give the functions and classes that a module makes public, in its own order.

    Parameters
    ----------
    module : str
        Its name.

    Returns
    -------
    list of str
    """
    loaded = import_module(module)
    return [name for name in loaded.__all__ if callable(getattr(loaded, name))]


def _module_section(module: str, purpose: str) -> str:
    loaded = import_module(module)
    rows = [
        (f"`{_signature(name, getattr(loaded, name))}`", _summary(getattr(loaded, name)))
        for name in public_names(module)
    ]
    return f"### `{module}`\n\n{purpose}\n\n{_table(('name', 'what it does'), rows)}"


def _signature(name: str, thing: Callable[..., Any]) -> str:
    """Give a call with its defaults; types are in the docstring. A class is named alone."""
    if inspect.isclass(thing):
        return f"class {name}"
    signature = inspect.signature(thing)
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
    ]
    return name + str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def _summary(thing: Any) -> str:
    """Give the first paragraph of a docstring, in one line, as Markdown."""
    first = " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())
    return _escaped(re.sub(r":[a-z]+:`", "`", first).replace("``", "`"))


def _escaped(text: str) -> str:
    """Keep ``<name>`` from being read as HTML; in code, between backticks, it is not."""
    parts = text.split("`")
    parts[::2] = [part.replace("<", r"\<") for part in parts[::2]]
    return "`".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", r"\|") for cell in r] for r in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference_page(), encoding="utf-8")
