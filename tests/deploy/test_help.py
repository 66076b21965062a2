"""Every command helps: an example that can be typed, and a word on each option."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from connector.__main__ import main


def commands(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield (*names, name), command


EVERY = list(commands(main))


@pytest.mark.parametrize(("names", "command"), EVERY, ids=[" ".join(names) for names, _ in EVERY])
def test_a_command_tells_an_example_that_it_understands(names: tuple[str, ...], command: click.Command) -> None:
    told = re.search(r"Example:(.+)", (command.help or "").replace("\n", " "))
    assert told, "its docstring ends with an example"
    # What is piped or redirected is the shell's.
    parts = re.split(r"[|<>]", told[1])
    words = shlex.split(next(part for part in parts if re.search(r"\bconnector ", part)))
    typed = [word for word in words if not re.match(r"[A-Z_]+=", word)]
    at = typed.index("connector")
    assert tuple(typed[at + 1 : at + 1 + len(names)]) == names
    given = {word.split("=")[0] for word in typed[at + 1 + len(names) :] if word.startswith("--")}
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert given <= known, "the example names options that exist"


@pytest.mark.parametrize(("names", "command"), EVERY, ids=[" ".join(names) for names, _ in EVERY])
def test_every_option_has_a_word_of_help(names: tuple[str, ...], command: click.Command) -> None:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{' '.join(names)} {parameter.opts}"


def test_a_group_of_commands_tells_an_example_too() -> None:
    groups = [one for one in main.commands.values() if isinstance(one, click.Group)]
    assert [one.name for one in groups if "Example: connector" not in (one.help or "")] == []
