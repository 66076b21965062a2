"""mRECIST: the sum rule of RECIST 1.1 on the diameters of the viable, arterially enhancing part of each lesion."""

from decimal import Decimal

from connector.core.evidence import Citation
from connector.core.response.recist_1_1 import LEAST_GROWTH_MM, Criteria

MRECIST = "mrecist"
LENCIONI_2010 = Citation("Lencioni & Llovet 2010, mRECIST", "target lesions")


def mrecist(*, require_5_mm: bool) -> Criteria:
    """
    Return the criteria for viable tumour.

    The 2010 paper has no least growth; some trials add the 5 mm of RECIST 1.1 (`require_5_mm`). Diameters are of the
    enhancing part and are never mixed with whole-lesion diameters. Made for hepatocellular carcinoma: for thyroid
    metastases it describes viable tumour beside RECIST 1.1 and does not replace it.
    Source: Korean J Radiol 2022, Table 11 (PMC9747269).
    """
    return Criteria(MRECIST, LEAST_GROWTH_MM if require_5_mm else Decimal(0), LENCIONI_2010)
