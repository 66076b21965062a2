"""Local users of the console, for sites without an OpenID provider; a password comes from a prompt or from stdin."""

import sys

import click

from connector.cli.case_io import CaseError, sentence
from connector.cli.operate import opened
from connector.contract.reading import dumps
from connector.core.errors import BadCase

ROLES = ("operator", "clinician", "physicist")


@click.group()
def user() -> None:
    """
    Local users of the console: add, list, disable, set a password.

    Example: connector user add m.curie --role physicist
    """


def _password() -> str:
    """Twice from the person at the terminal, or the first line of stdin; never an argument, which others can see."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\n")


def _hashed() -> str:
    from connector.console.passwords import hash_password  # noqa: PLC0415 - keeps --help fast

    try:
        return hash_password(_password())
    except BadCase as fault:
        raise CaseError(sentence(fault)) from None


def _name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > 128 or not name.isprintable():  # noqa: PLR2004 - what the ledger holds
        raise CaseError(sentence(BadCase("NAME", text, "is no name: give 1 to 128 printable characters")))
    return name


@user.command()
@click.argument("name")
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice(ROLES), help="May be given again.")
def add(name: str, roles: tuple[str, ...]) -> None:
    """
    Add a user; the password is asked for, or read from stdin.

    Example: connector user add m.curie --role physicist --role operator < password-file
    """
    name = _name(name)
    with opened() as operation:
        operation.accounts.add(name, _hashed(), sorted(set(roles)))
        click.echo(dumps({"added": name, "roles": sorted(set(roles))}))


@user.command("list")
def list_users() -> None:
    """
    List users with their roles, and whether they are locked or disabled.

    Example: connector user list | jq -r .users[].name
    """
    with opened() as operation:
        rows = [
            {"name": one.name, "roles": list(one.roles), "disabled": one.disabled, "locked_until": one.locked_until}
            for one in operation.accounts.all()
        ]
    click.echo(dumps({"users": rows}, indent=2))


@user.command()
@click.argument("name")
def disable(name: str) -> None:
    """
    Close an account and end its sessions at once; `user password` opens it again.

    Example: connector user disable m.curie
    """
    with opened() as operation:
        operation.accounts.disable(name)
        click.echo(dumps({"disabled": name}))


@user.command()
@click.argument("name")
def password(name: str) -> None:
    """
    Set a new password, which also opens a locked or disabled account and ends its sessions.

    Example: connector user password m.curie
    """
    with opened() as operation:
        operation.accounts.set_password(name, _hashed())
        click.echo(dumps({"changed": name}))
