"""Plain FHIR R4: HAPI, Medplum, a hospital's own repository; everything is read from the CapabilityStatement."""

from connector.fhir.vendors.vendor import Vendor

VENDOR = Vendor(name="plain", title="Plain FHIR R4")
