"""The order of the tests: what starts real processes first, so that no long file is left over for one worker alone."""

import pytest

LONG_FIRST = ("e2e", "peers", "console", "judges", "deploy", "report")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return LONG_FIRST.index(folder) if folder in LONG_FIRST else len(LONG_FIRST)

    items.sort(key=place)
