"""Between PACS and EHR: a clinical core with two protocol rooms, for thyroid cancer that has spread."""

__version__ = "0.1.0"
