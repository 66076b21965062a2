"""The FHIR room: translates between the EHR and our types and decides nothing; fhir.resources lives only here."""
