"""Reports written of assessments made on the spot, and what their content trees say."""

from dataclasses import replace

import written_cases as cases
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from connector.dicom.write_sr import ReportWriter


def write(assessed, paths, **changes):
    (document,) = ReportWriter().write(cases.request(assessed, paths, **changes))
    return document


def read(document):
    return dcmread(DicomBytesIO(document.content))


def said(item):
    """Every (concept, value) of a content tree, in reading order."""
    found = []
    for child in item.get("ContentSequence", []):
        name = str(child.ConceptNameCodeSequence[0].CodeMeaning)
        if child.ValueType == "TEXT":
            found.append((name, str(child.TextValue)))
        elif child.ValueType == "CODE":
            code = child.ConceptCodeSequence[0]
            found.append((name, f"{code.CodeValue} {code.CodingSchemeDesignator}"))
        elif child.ValueType == "NUM":
            value = child.MeasuredValueSequence[0]
            found.append((name, f"{value.NumericValue} {value.MeasurementUnitsCodeSequence[0].CodeValue}"))
        found += said(child)
    return found


def answers(document, name):
    return [value for concept, value in said(read(document)) if concept == name]


def with_lesion(**changes):
    assessed = cases.assessment(1)
    now = assessed.time_points[1]
    changed = replace(now, lesions=(replace(now.lesions[0], **changes),))
    return replace(assessed, time_points=(assessed.time_points[0], changed))


def with_visit(**changes):
    response = cases.response()
    visits = (response.visits[0], response.visits[1]._replace(**changes))
    return cases.assessment(1, response=replace(response, visits=visits))
