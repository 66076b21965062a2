"""Tumour response: the published criteria as tables and algorithms."""

from connector.core.response.assess import assess_response, criteria_of
from connector.core.response.case import ResponseCase

__all__ = ["ResponseCase", "assess_response", "criteria_of"]
