"""The publications that rules and numbers are cited from: typed once, printed everywhere by their short name."""

from collections.abc import Mapping
from dataclasses import dataclass

from connector.core.evidence import Citation


@dataclass(frozen=True, slots=True)
class Source:
    """One publication. `tier` grades it for ties between rules: 1 guideline, 2 review, 3 case series, 4 opinion."""

    short: str
    authors: str
    title: str
    where: str
    tier: int

    @property
    def doi(self) -> str | None:
        """Its DOI, None where it has none or where its words are known through another publication only."""
        _, found, doi = self.where.partition("doi:")
        return doi if found else None

    def at(self, locus: str, quote: str = "") -> Citation:
        """Cite a place in it, with its words."""
        return Citation(self.short, locus, quote)


ZHANG_2025 = Source(
    "Zhang 2025",
    "Zhang D, Spisani J, Ceriello A, Frattini F, Brucchi F, Dionigi G, Wan L, Angileri SA, Colombo C, Ierardi AM, "
    "Carrafiello G",
    "Navigating the complexity of current interventional radiological approaches for distant metastases in thyroid "
    "cancer",
    "Front Endocrinol 2025, doi:10.3389/fendo.2025.1445855",
    2,
)
NERVO_2021 = Source(
    "Nervo 2021",
    "Nervo A, Ragni A, Retta F, Calandri M, Gazzera C, Gallo M, Piovesan A, Arvat E",
    "Interventional radiology approaches for liver metastases from thyroid cancer: a case series and overview of the "
    "literature",
    "J Gastrointest Cancer 2021;52:823-832, doi:10.1007/s12029-021-00646-6",
    3,
)
CAZZATO_2018 = Source(
    "Cazzato 2018",
    "Cazzato RL, Garnon J, Koch G, Shaygi B, Tsoumakidou G, Caudrelier J, Boatta E, Buy X, Palussiere J, Gangi A",
    "Current role of interventional radiology in the management of visceral and bone metastases from thyroid cancer",
    "Gland Surg 2018;7:80-88, doi:10.21037/gs.2017.12.08",
    2,
)
ANBARI_2023 = Source(
    "Anbari 2023",
    "Anbari Y, Veerman FE, Keane G, Braat AJAT, Smits MLJ, Bruijnen RCG, Tan W, Li Y, Duan F, Lam MGEH",
    "Current status of yttrium-90 microspheres radioembolization in primary and metastatic liver cancer",
    "J Interv Med 2023, doi:10.1016/j.jimed.2023.09.001",
    2,
)
ALVAREZ = Source(
    "Alvarez",
    "Alvarez S",
    "Advancing refractory thyroid cancer treatment: dosimetry and novel therapies",
    "opinion without data of its own; its references could not be verified",
    4,
)
ATA_2015_DTC = Source(
    "ATA 2015 (DTC)",
    "Haugen BR, Alexander EK, Bible KC, Doherty GM, Mandel SJ, Nikiforov YE, et al.",
    "2015 American Thyroid Association management guidelines for adult patients with thyroid nodules and "
    "differentiated thyroid cancer",
    "Thyroid 2016;26:1-133, as tabulated by Nervo 2021 and Zhang 2025",
    1,
)
ATA_2015_MTC = Source(
    "ATA 2015 (MTC)",
    "Wells SA Jr, Asa SL, Dralle H, Elisei R, Evans DB, Gagel RF, et al.",
    "Revised American Thyroid Association guidelines for the management of medullary thyroid carcinoma",
    "Thyroid 2015;25:567-610, as tabulated by Nervo 2021 and Zhang 2025",
    1,
)
ESMO_2019 = Source(
    "ESMO 2019",
    "Filetti S, Durante C, Hartl D, Leboulleux S, Locati LD, Newbold K, et al.",
    "Thyroid cancer: ESMO clinical practice guidelines for diagnosis, treatment and follow-up",
    "Ann Oncol 2019;30:1856-1883, as tabulated by Nervo 2021 and Zhang 2025",
    1,
)
ETA_2019 = Source(
    "ETA 2019",
    "Fugazzola L, Elisei R, Fuhrer D, Jarzab B, Leboulleux S, Newbold K, et al.",
    "2019 European Thyroid Association guidelines for the treatment and follow-up of advanced radioiodine-refractory "
    "thyroid cancer",
    "Eur Thyroid J 2019;8:227-245, as tabulated by Nervo 2021 and Zhang 2025",
    1,
)
ETA_CIRSE_2021 = Source(
    "ETA/CIRSE 2021",
    "Mauri G, Hegedüs L, Bandula S, Cazzato RL, Czarniecka A, Dudeck O, et al.",
    "European Thyroid Association and Cardiovascular and Interventional Radiological Society of Europe 2021 clinical "
    "practice guideline for the use of minimally invasive treatments in malignant thyroid lesions",
    "Eur Thyroid J 2021;10:185-197, as tabulated by Zhang 2025",
    1,
)
PUGH_1973 = Source(
    "Pugh 1973",
    "Pugh RNH, Murray-Lyon IM, Dawson JL, Pietroni MC, Williams R",
    "Transection of the oesophagus for bleeding oesophageal varices",
    "Br J Surg 1973;60:646-649, with INR in place of prothrombin time",
    3,
)
JOHNSON_2015 = Source(
    "Johnson 2015",
    "Johnson PJ, Berhane S, Kagebayashi C, Satomura S, Teng M, Reeves HL, et al.",
    "Assessment of liver function in patients with hepatocellular carcinoma: a new evidence-based approach - the ALBI "
    "grade",
    "J Clin Oncol 2015;33:550-558",
    3,
)
CKD_EPI_2021 = Source(
    "CKD-EPI 2021",
    "Inker LA, Eneanya ND, Coresh J, Tighiouart H, Wang D, Sang Y, et al.",
    "New creatinine- and cystatin C-based equations to estimate GFR without race",
    "N Engl J Med 2021;385:1737-1749",
    3,
)
RECIST_1_1 = Source(
    "RECIST 1.1",
    "Eisenhauer EA, Therasse P, Bogaerts J, Schwartz LH, Sargent D, Ford R, et al.",
    "New response evaluation criteria in solid tumours: revised RECIST guideline (version 1.1)",
    "Eur J Cancer 2009;45:228-247",
    1,
)
HOUSE = Source(
    "House rule",
    "the makers of connector",
    "What the patient, the surgeon or the oncologist entered is kept, and what no source covers goes to the board",
    "no publication: a reading that the clinical lead confirms",
    4,
)

# Every publication above, by its short name and in this order, which is that of the manual.
SOURCES: Mapping[str, Source] = {
    source.short: source for source in tuple(globals().values()) if isinstance(source, Source)
}
