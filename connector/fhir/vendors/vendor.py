"""What may differ between EHR products, and which product a server is."""

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module

from connector.core.errors import BadCase

_NO_PRODUCT = ("vendor",)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a product does otherwise: what, what we do about it, and who says so."""

    what: str
    so_we: str
    source: str


@dataclass(frozen=True, slots=True)
class Vendor:
    """
    One product. Only what its CapabilityStatement does not say stands here; the rest is read from the server.

    `name` is the value of CONNECTOR_EHR_VENDOR; `recognised_by` are words in the statement's software or publisher.
    """

    name: str
    title: str
    recognised_by: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    never_written: frozenset[str] = frozenset()
    # Our resources are looked up by the patient and compared here, except for these types.
    looks_up_by_patient: bool = False
    found_by_identifier: frozenset[str] = frozenset()
    # A date is searched with a lower and an upper end.
    closed_ranges: bool = False
    # Codes in an OperationOutcome that will pass, with the seconds to wait, although their status is a no.
    later: Mapping[str, float] = field(default_factory=dict)


@cache
def vendors() -> Mapping[str, Vendor]:
    """Every product, by name; the files of this folder each hold one as `VENDOR`."""
    package = __name__.rpartition(".")[0]
    folder = import_module(package).__path__
    names = sorted(one.name for one in pkgutil.iter_modules(folder) if one.name not in _NO_PRODUCT)
    found: list[Vendor] = [import_module(f"{package}.{name}").VENDOR for name in names]
    return {vendor.name: vendor for vendor in found}


def vendor_names() -> list[str]:
    """The values of CONNECTOR_EHR_VENDOR besides `auto`."""
    return list(vendors())


def vendor_for(software: str, setting: str = "auto") -> Vendor:
    """The product that is set, or that the words of a CapabilityStatement name; else plain FHIR. Raises BadCase."""
    if setting != "auto":
        if setting not in vendors():
            known = ", ".join(["auto", *vendors()])
            raise BadCase("CONNECTOR_EHR_VENDOR", setting, f"is no product we know: write one of {known}")
        return vendors()[setting]
    said = software.casefold()
    for vendor in vendors().values():
        if any(word in said for word in vendor.recognised_by):
            return vendor
    return vendors()["plain"]
