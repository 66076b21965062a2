"""How EHR products differ from plain FHIR: one file each, found by itself; what may differ is `vendor.py`."""

from connector.fhir.vendors.vendor import Difference, Vendor, vendor_for, vendor_names, vendors

__all__ = ["Difference", "Vendor", "vendor_for", "vendor_names", "vendors"]
