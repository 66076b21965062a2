"""The bundled case, built once for the tests of this folder."""

import sys
from pathlib import Path

import pytest

from connector.demo.case import DemoCase, build

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "peers"))


@pytest.fixture(scope="session")
def demo_case(tmp_path_factory: pytest.TempPathFactory) -> DemoCase:
    return build(tmp_path_factory.mktemp("case"))
