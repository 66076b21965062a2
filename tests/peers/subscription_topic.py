"""A topic on Observations as servers of the R5 backport keep it in R4, so that a Subscription can name it."""

TOPIC = "http://hospital.test/fhir/SubscriptionTopic/observation"
_ST = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic"
# A topic as sekmet and fhir-candle keep it in R4: a Basic with R5's elements as extensions.
TOPIC_BASIC = {
    "resourceType": "Basic",
    "modifierExtension": [{"url": f"{_ST}.status", "valueCode": "active"}],
    "extension": [
        {"url": f"{_ST}.url", "valueUri": TOPIC},
        {"url": f"{_ST}.title", "valueString": "Observation made or changed"},
        {
            "url": f"{_ST}.resourceTrigger",
            "extension": [
                {"url": "resource", "valueUri": "http://hl7.org/fhir/StructureDefinition/Observation"},
                {"url": "supportedInteraction", "valueCode": "create"},
                {"url": "supportedInteraction", "valueCode": "update"},
                {"url": "fhirPathCriteria", "valueString": "true"},
            ],
        },
    ],
    "code": {"coding": [{"system": "http://hl7.org/fhir/fhir-types", "code": "SubscriptionTopic"}]},
}
