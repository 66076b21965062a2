"""`connector conformance`: what we offer to and ask of PACS, EHR and RIS, printed from the code that does it."""

import click

from connector.contract.reading import dumps


@click.command()
@click.option("--dicom", "only_dicom", is_flag=True, help="The DICOM Conformance Statement alone.")
@click.option("--fhir", "only_fhir", is_flag=True, help="The FHIR side alone.")
@click.option("--hl7", "only_hl7", is_flag=True, help="The HL7 v2 side alone.")
@click.option("--format", "form", type=click.Choice(["json", "md"]), default="json", show_default=True,
              help="JSON (FHIR alone: a CapabilityStatement), or Markdown for people.")  # fmt: skip
def conformance(*, only_dicom: bool, only_fhir: bool, only_hl7: bool, form: str) -> None:
    """
    Print the DICOM Conformance Statement, what the FHIR side asks of an EHR, and what HL7 v2 is heard; all by default.

    Example: connector conformance --fhir > capability-statement.json
    """
    from connector.conformance import markdown, values  # noqa: PLC0415 - keeps --help fast

    asked = {"dicom": only_dicom, "fhir": only_fhir, "hl7v2": only_hl7}
    if not any(asked.values()):
        asked = dict.fromkeys(asked, True)
    text = markdown(**asked) if form == "md" else dumps(values(**asked), indent=2)
    click.echo(text.rstrip("\n"))
