"""Starts sekmet-fhir with SMART sign-in, and with the search parameters that its table lacks (after the customer)."""

import argparse
import json
from pathlib import Path

import uvicorn
from sekmet.config import load_settings, set_settings
from sekmet.fhir import search_params
from sekmet.main import create_app

# Without these a conditional request on the type is a 400. name:type:path[:target]
_PARAMETERS = {
    "RiskAssessment": "identifier:token:identifier subject:reference:subject patient:reference:subject:Patient",
    "DetectedIssue": "identifier:token:identifier patient:reference:patient",
    "BodyStructure": "identifier:token:identifier patient:reference:patient",
}


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--public-key", type=Path, required=True)
    parser.add_argument("--token-lifetime", type=int, default=300)
    parser.add_argument("--jwks-url")
    arguments = parser.parse_args()
    for kind, text in _PARAMETERS.items():
        for item in text.split():
            name, form, path, *target = item.split(":")
            parameter = search_params.SearchParam(name, form, (path,), target[0] if target else None)
            search_params.PARAMS.setdefault(kind, {})[name] = parameter
    clients = [
        {"client_id": "connector", "public_key_path": str(arguments.public_key), "scopes": "system/*.cruds"},
        {"client_id": "reader", "public_key_path": str(arguments.public_key), "scopes": "system/Patient.rs"},
    ]
    if arguments.jwks_url:
        clients.append({"client_id": "fetched", "jwks_url": arguments.jwks_url, "scopes": "system/*.cruds"})
    path = arguments.folder / "settings.yaml"
    settings = {
        "base_url": f"http://127.0.0.1:{arguments.port}/fhir",
        "host": "127.0.0.1",
        "port": arguments.port,
        "data_dir": str(arguments.folder / "data"),
        "server_auth": {"types": ["smart"], "token_lifetime": arguments.token_lifetime, "smart_clients": clients},
        "simulator": {"enabled": False},
        "log_inbound": False,
    }
    path.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    loaded = load_settings(str(path))
    set_settings(loaded)
    uvicorn.run(create_app(loaded), host=loaded.host, port=loaded.port, log_level="warning")


if __name__ == "__main__":
    main()
