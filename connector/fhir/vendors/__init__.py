"""How EHR products differ from plain FHIR: one file each, found by itself; a new quirk is a new file here."""

from connector.fhir.vendors.vendor import Difference, Vendor, vendor_for, vendor_names, vendors

__all__ = ["Difference", "Vendor", "vendor_for", "vendor_names", "vendors"]
