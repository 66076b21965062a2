"""`connector keys`: makes the key pair that signs in at the EHR, and prints the public half to register there."""

from pathlib import Path

import click

from connector.cli.case_io import CaseError, sentence
from connector.contract.reading import dumps
from connector.core.errors import BadCase


@click.group()
def keys() -> None:
    """
    Make and show the keys of SMART Backend Services.

    Example: connector keys make --out ehr_private_key > public.jwks.json
    """


@keys.command()
@click.option("--algorithm", type=click.Choice(["RS384", "ES384"]), default="RS384", show_default=True,
              help="RS384: RSA of 3072 bits; ES384: the curve P-384. Every SMART server takes both.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New file for the private key (PEM, 0600).")
def make(algorithm: str, out: Path) -> None:
    """
    Make a key pair: the private half into a new file, the public half as a JWK Set on stdout.

    To change keys without a gap: make one, name it in CONNECTOR_EHR_NEXT_PRIVATE_KEY_FILE, restart, have the EHR fetch
    our JWK Set or register the new public half; when it has, name it in CONNECTOR_EHR_PRIVATE_KEY_FILE instead.

    Example: connector keys make --out /etc/connector/secrets/ehr_private_key > public.jwks.json
    """
    from connector.fhir.signing_keys import jwks, make_key  # noqa: PLC0415 - keeps --help fast

    try:
        made = make_key(out, algorithm)
    except BadCase as fault:
        raise CaseError(sentence(fault)) from None
    click.echo(dumps(jwks([made]), indent=2))


@keys.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[PEM]...")
def public(files: tuple[Path, ...]) -> None:
    """
    Print the public halves of private keys as a JWK Set; of the keys in the settings when none is named.

    Example: connector keys public > public.jwks.json
    """
    from connector.fhir.signing_keys import jwks, read_key  # noqa: PLC0415 - keeps --help fast
    from connector.neighbours import signing_keys  # noqa: PLC0415
    from connector.settings.reading import read_settings  # noqa: PLC0415

    try:
        held = tuple(read_key(path, setting="PEM") for path in files) or signing_keys(read_settings())
    except BadCase as fault:
        raise CaseError(sentence(fault)) from None
    if not held:
        raise CaseError("PEM = null: name a private key, or set CONNECTOR_EHR_PRIVATE_KEY_FILE")
    click.echo(dumps(jwks(held), indent=2))
