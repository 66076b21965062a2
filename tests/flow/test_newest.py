"""The newest assessment of each case: a page holds what it shows, whatever other pages are read at the same time."""

from ledger_case import Bench, assessment, receipt

from connector.store import newest
from connector.store.newest import Newest


def test_a_page_shows_what_another_one_pushes_out_meanwhile(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr(newest, "_KEPT", 1)
    cases = {}
    for name in ("a", "b", "c"):
        study = f"1.2.{ord(name)}"
        bench.inbox.receive(receipt(f"{study}.1", study=study, patient=name))
        cases[name] = bench.ledger.study(study).case_ref
        with bench.ledger.transaction() as connection:
            bench.ledger.save(connection, assessment(cases[name], study, name), f'"{name}"', [])

    def read(summary: str) -> str:
        if summary == '"b"':  # another page is asked for just now
            assert page.of_cases([cases["c"]]) == {cases["c"]: '"c"'}
        return summary

    page = Newest(bench.engine, read)
    assert page.of_cases([cases["a"]]) == {cases["a"]: '"a"'}
    assert page.of_cases([cases["a"], cases["b"]]) == {cases["a"]: '"a"', cases["b"]: '"b"'}
