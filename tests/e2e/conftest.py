"""The bundled case, built once for the tests of this folder."""

import pytest

from connector.demo.case import DemoCase, build


@pytest.fixture(scope="session")
def demo_case(tmp_path_factory: pytest.TempPathFactory) -> DemoCase:
    return build(tmp_path_factory.mktemp("case"))
