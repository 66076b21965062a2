"""Tumour response: the published criteria as tables and algorithms."""

from connector.core.response.assess import assess_response, criteria_of
from connector.core.response.case import ResponseCase
from connector.core.response.from_time_points import response_case

__all__ = ["ResponseCase", "assess_response", "criteria_of", "response_case"]
