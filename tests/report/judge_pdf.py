"""Asks an outside judge about a PDF: poppler's pdfinfo, pdffonts, pdftotext."""

import shutil
import subprocess
from pathlib import Path


def missing_judges() -> list[str]:
    """Judges that are not installed, with the package that brings them."""
    needed = ("pdfinfo", "pdffonts", "pdftotext", "pdftoppm", "pdfimages")
    return [f"{program} (Debian: poppler-utils)" for program in needed if shutil.which(program) is None]


def _said(*command: object) -> str:
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, timeout=60
    )
    return done.stdout


def facts(path: Path) -> dict[str, str]:
    """What pdfinfo says, by name."""
    pairs = (line.partition(":") for line in _said("pdfinfo", path).splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def structure(path: Path) -> str:
    """The tags in the order in which a screen reader reads them."""
    return _said("pdfinfo", "-struct-text", path)


def fonts(path: Path) -> list[tuple[str, str, str]]:
    """Each font with whether it is embedded and whether its text can be copied (yes or no)."""
    rows = [line.split() for line in _said("pdffonts", path).splitlines()[2:]]
    return [(row[0].partition("+")[2], row[-5], row[-3]) for row in rows]


def pages(path: Path) -> list[str]:
    """The text of each page, blanks and line ends as one blank."""
    count = int(facts(path)["Pages"])
    return [" ".join(_said("pdftotext", "-f", n, "-l", n, path, "-").split()) for n in range(1, count + 1)]


def ink(path: Path, folder: Path) -> list[float]:
    """Which share of each page is not white."""
    _said("pdftoppm", "-gray", "-r", 36, path, folder / "page")
    shares = []
    for page in sorted(folder.glob("page-*.pgm")):
        pixels = page.read_bytes().split(b"\n", 3)[3]
        shares.append(sum(one < 250 for one in pixels) / len(pixels))
    return shares
