"""What the tests of reading a record ask of a reading."""

ATC = "http://www.whocc.no/atc"


def value(reading, name):
    return reading.facts[name].value if name in reading.facts else None


def reasons(reading):
    return " | ".join(f"{one.where}: {one.reason}" for one in reading.skipped)
