"""The DICOM room: translates between the PACS and our types and decides nothing; pydicom lives only here."""
