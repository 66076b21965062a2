"""`connector conformance`: what we offer to and ask of a PACS and an EHR, printed from the code that does it."""

import click

from connector.contract.reading import dumps


@click.command()
@click.option("--dicom", "only_dicom", is_flag=True, help="The DICOM Conformance Statement alone.")
@click.option("--fhir", "only_fhir", is_flag=True, help="The FHIR side alone.")
@click.option("--format", "form", type=click.Choice(["json", "md"]), default="json", show_default=True,
              help="JSON (FHIR alone: a CapabilityStatement), or Markdown for people.")  # fmt: skip
def conformance(*, only_dicom: bool, only_fhir: bool, form: str) -> None:
    """
    Print the DICOM Conformance Statement and what the FHIR side asks of an EHR; both without an option.

    Example: connector conformance --fhir > capability-statement.json
    """
    from connector.conformance import markdown, values  # noqa: PLC0415 - keeps --help fast

    both = only_dicom == only_fhir
    dicom, fhir = only_dicom or both, only_fhir or both
    text = markdown(dicom=dicom, fhir=fhir) if form == "md" else dumps(values(dicom=dicom, fhir=fhir), indent=2)
    click.echo(text.rstrip("\n"))
