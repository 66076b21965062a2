"""What CDS Hooks 2.0 allows in an answer, typed from the specification and HL7's logical model (cds-resp-1 to -7)."""

import jsonschema

_TEXT = {"type": "string", "minLength": 1}
_URL = {"type": "string", "pattern": "^https?://"}
_UUID = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_CODING = {
    "type": "object",
    "required": ["code"],
    "properties": {"code": _TEXT, "system": _TEXT, "display": _TEXT},
    "additionalProperties": False,
}
_RESOURCE = {"type": "object", "required": ["resourceType"], "properties": {"resourceType": _TEXT}}
_ACTION = {
    "type": "object",
    "required": ["type", "description"],
    "properties": {
        "type": {"enum": ["create", "update", "delete"]},
        "description": _TEXT,
        "resource": _RESOURCE,
        "resourceId": _TEXT,
    },
    "additionalProperties": False,
    # cds-resp-2: what is created or updated is there; what is created has no id yet.
    "allOf": [
        {
            "if": {"properties": {"type": {"enum": ["create", "update"]}}},
            "then": {"required": ["resource"]},
        },
        {
            "if": {"properties": {"type": {"const": "create"}}},
            "then": {"properties": {"resource": {"not": {"required": ["id"]}}}},
        },
        {"if": {"properties": {"type": {"const": "delete"}}}, "then": {"required": ["resourceId"]}},
    ],
}
_SUGGESTION = {
    "type": "object",
    "required": ["label"],
    "properties": {
        "label": _TEXT,
        "uuid": _UUID,
        "isRecommended": {"type": "boolean"},
        "actions": {"type": "array", "minItems": 1, "items": _ACTION},
    },
    "additionalProperties": False,
}
_LINK = {
    "type": "object",
    "required": ["label", "url", "type"],
    "properties": {
        "label": _TEXT,
        "url": _URL,
        "type": {"enum": ["absolute", "smart"]},
        "appContext": _TEXT,
        "autolaunchable": {"type": "boolean"},
    },
    "additionalProperties": False,
    # cds-resp-3: what is shared with an app needs an app.
    "if": {"required": ["appContext"]},
    "then": {"properties": {"type": {"const": "smart"}}},
}
CARD = {
    "type": "object",
    "required": ["summary", "indicator", "source"],
    "properties": {
        "uuid": _UUID,
        "summary": {"type": "string", "minLength": 1, "maxLength": 139},  # "<140 characters"
        "detail": _TEXT,
        "indicator": {"enum": ["info", "warning", "critical"]},
        "source": {
            "type": "object",
            "required": ["label"],
            "properties": {"label": _TEXT, "url": _URL, "icon": _URL, "topic": _CODING},
            "additionalProperties": False,
        },
        "suggestions": {"type": "array", "minItems": 1, "items": _SUGGESTION},
        "selectionBehavior": {"enum": ["at-most-one", "any"]},
        # cds-resp-4: a reason that is offered can be read.
        "overrideReasons": {
            "type": "array",
            "minItems": 1,
            "items": {**_CODING, "required": ["code", "display"]},
        },
        "links": {"type": "array", "minItems": 1, "items": _LINK},
    },
    "additionalProperties": False,
    "dependentRequired": {"suggestions": ["selectionBehavior"]},  # cds-resp-1
}
ANSWER = {
    "type": "object",
    "required": ["cards"],
    "properties": {
        "cards": {"type": "array", "items": CARD},
        "systemActions": {"type": "array", "minItems": 1, "items": _ACTION},
    },
    "additionalProperties": False,
}
DISCOVERY = {
    "type": "object",
    "required": ["services"],
    "properties": {
        "services": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["hook", "description", "id"],
                "properties": {
                    "hook": _TEXT,
                    "title": _TEXT,
                    "description": _TEXT,
                    "id": {"type": "string", "pattern": "^[A-Za-z0-9.-]+$"},
                    "prefetch": {"type": "object", "minProperties": 1, "additionalProperties": _TEXT},
                    "usageRequirements": _TEXT,
                },
                "additionalProperties": False,
            },
        }
    },
    "additionalProperties": False,
}


def faults(value: object, schema: dict) -> list[str]:
    """What is wrong with an answer, and where; also more than one recommended suggestion where one may be taken."""
    found = [
        f"{error.json_path}: {error.message}" for error in jsonschema.Draft202012Validator(schema).iter_errors(value)
    ]
    for card in value.get("cards", []) if isinstance(value, dict) else []:
        recommended = [one for one in card.get("suggestions", []) if one.get("isRecommended")]
        if card.get("selectionBehavior") == "at-most-one" and len(recommended) > 1:
            found.append("several suggestions are recommended where one may be taken")
        if any(value in (None, "", [], {}) for value in card.values()):
            found.append("an element is null or empty")
    return found
