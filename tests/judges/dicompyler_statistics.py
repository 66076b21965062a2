"""Run by dicompyler-core's own Python: mean, D95 and volume of every structure of a structure set in an RT Dose."""

import json
import sys

from dicompylercore import dicomparser, dvhcalc

structures, dose = sys.argv[1:]
found = {}
for number, structure in dicomparser.DicomParser(structures).GetStructures().items():
    dvh = dvhcalc.get_dvh(structures, dose, number)
    found[structure["name"]] = {"mean": dvh.mean, "d95": dvh.D95.value, "volume": dvh.volume}
sys.stdout.write(json.dumps(found))
