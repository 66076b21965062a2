"""What markers tell before and after a treatment, by Zhang 2025."""

from connector.core.catalogue import Facts
from connector.core.rules import ALWAYS, Rule, Verdict
from connector.core.sources import ZHANG_2025

RULES: tuple[Rule, ...] = (
    Rule(
        id="BIO-CTDT6",
        when=Facts.histology.is_("MTC") & (Facts.calcitonin_doubling_time_months < 6),
        verdict=Verdict.INFORMS,
        kind="process",
        says="A calcitonin doubling time below 6 months predicts metastatic disease: local treatment is reviewed "
        "early.",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "especially with a doubling time of less than 6 months, is a highly predictive indicator of "
            "metastatic disease",
        ),
    ),
    Rule(
        id="BIO-CT1000",
        when=Facts.histology.is_("MTC") & (Facts.calcitonin_pg_ml > 1000),
        verdict=Verdict.ADVISES,
        kind="measure",
        says="Calcitonin above 1000 pg/ml calls for more intensive imaging of the liver.",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "often above 1,000 pg/ml, have been associated with systemic spread and should prompt more intensive "
            "radiological monitoring",
        ),
    ),
    Rule(
        id="BIO-CEA",
        when=Facts.histology.is_("MTC") & Facts.cea_trend.is_("rising"),
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="A rising CEA adds prognostic information to calcitonin.",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "CEA can complement calcitonin by providing additional prognostic information",
        ),
    ),
    Rule(
        id="BIO-CT-POSTIRT",
        when=Facts.histology.is_("MTC") & (Facts.calcitonin_change_percent < 0),
        verdict=Verdict.INFORMS,
        kind="response",
        says="A fall of calcitonin after treatment may mean a response, above all when the images are equivocal.",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "A decrease in calcitonin levels or stabilization of its doubling time after IRT may indicate a response",
        ),
    ),
    Rule(
        id="BIO-TG-RISE",
        when=Facts.rai_refractory & Facts.tg_trend.is_("rising"),
        verdict=Verdict.ADVISES,
        kind="follow_up",
        says="A rising thyroglobulin in refractory disease calls for more imaging and a new evaluation.",
        cite=ZHANG_2025.at("Biomarkers", "an increase in unstimulated Tg may precede radiological evidence of LM"),
    ),
    Rule(
        id="BIO-TG-CAUTION",
        when=Facts.last_lrt_modality.among("RFA", "MWA", "TACE", "TAE", "TARE") & ~Facts.tg_trend.is_("stable"),
        verdict=Verdict.ADVISES,
        kind="response",
        says="Thyroglobulin fluctuates with necrosis after treatment: it is called neither response nor failure.",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "fluctuations due to tumor necrosis or inflammation should be interpreted with caution",
        ),
    ),
    Rule(
        id="BIO-DISCORD-UP",
        when=Facts.radiological_progression & ~Facts.marker_trend.is_("rising"),
        verdict=Verdict.ADVISES,
        kind="follow_up",
        says="Growth on images without a rise of the marker may mean dedifferentiation: consider a biopsy, molecular "
        "profiling or another strategy.",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "the absence of a corresponding increase in tumor markers despite radiological progression, or vice versa",
        ),
    ),
    Rule(
        id="BIO-DISCORD-DOWN",
        when=~Facts.radiological_progression & Facts.marker_trend.is_("rising"),
        verdict=Verdict.ADVISES,
        kind="follow_up",
        says="A rising marker without growth on images may mean dedifferentiation: consider a biopsy, molecular "
        "profiling or another strategy.",
        cite=ZHANG_2025.at(
            "Biomarkers",
            "may indicate tumor dedifferentiation requiring biopsy, molecular profiling or a change in "
            "therapeutic strategy",
        ),
    ),
    Rule(
        id="BIO-HIGHRISK",
        when=(Facts.calcitonin_doubling_time_months < 6) | Facts.tg_trend.is_("rising"),
        verdict=Verdict.ADVISES,
        kind="process",
        says="A rapidly rising marker gives the patient priority for early local treatment.",
        cite=ZHANG_2025.at(
            "Multimodal integration",
            "High-risk biomarker profiles (e.g. rapidly rising calcitonin or Tg) can prioritize patients for early IRT",
        ),
    ),
    Rule(
        id="BIO-TREND-NEXT",
        when=Facts.days_since_lrt > 0,
        verdict=Verdict.INFORMS,
        kind="follow_up",
        says="The trend of the marker after treatment guides the timing of systemic therapy or of a repeat.",
        cite=ZHANG_2025.at(
            "Multimodal integration",
            "help decide on the timing of systemic therapy or repeated local interventions",
        ),
    ),
    Rule(
        id="BIO-LIQUID",
        when=ALWAYS,
        verdict=Verdict.INFORMS,
        kind="evidence",
        says="Circulating DNA and microRNA are not routine and never drive the selection.",
        cite=ZHANG_2025.at("Emerging biomarkers", "Although not yet routinely used in thyroid cancer"),
    ),
)
