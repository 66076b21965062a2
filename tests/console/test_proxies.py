"""Which caller counts as this machine, and which reverse proxy is believed about callers."""

import pytest
from console_case import make_desk

from connector.settings import Settings
from connector.web.access import local_callers


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [(("", ""), 200), (("http://localhost:8080", ""), 200), (("https://console.example.org", ""), 401),
     (("", "https://connector.example.org"), 401)],
    ids=["nobody said", "this machine", "people come by another name", "others come by another name"],
)  # fmt: skip
def test_a_caller_on_this_machine_may_be_a_proxy_once_we_are_known_by_another_name(
    tmp_path, addresses, expected
) -> None:
    """A proxy that says for nobody it calls looks like a person who sits here."""
    desk = make_desk(tmp_path)
    object.__setattr__(desk.site, "is_local", local_callers(*addresses))
    assert desk.browser().get("/").status_code == expected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("*", "no address or network"),
        ("proxy.hospital.example", "no address or network"),
        ("10.244.0.1/16", "no address or network"),
        ("127.0.0.1, 0.0.0.0/0", "believes every caller"),
        ("::/0", "believes every caller"),
    ],
    ids=["everybody", "a name", "a network with an address in it", "all of IPv4", "all of IPv6"],
)
def test_a_proxy_is_named_by_its_address_and_nobody_is_believed_for_being_anybody(written, said) -> None:
    """Whoever is believed names another caller for each try, and no number of wrong passwords closes sign-in."""
    with pytest.raises(ValueError, match=said):
        Settings(trusted_proxies=written)


@pytest.mark.parametrize("written", ["", "127.0.0.1", "10.244.0.0/16, ::1"])
def test_proxies_are_addresses_and_networks(written) -> None:
    assert Settings(trusted_proxies=written).trusted_proxies == written
