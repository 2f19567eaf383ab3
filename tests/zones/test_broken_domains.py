"""Every broken domain gets exactly the findings it should, from real name servers."""

from __future__ import annotations

import pytest
from broken_domains import BROKEN, Broken

from exo_auth.checks.catalogue import CATALOGUE


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.label)
def test_a_broken_domain_gets_its_findings_and_no_others(
    case: Broken, verdicts: dict[str, dict[str, list[dict[str, object]]]]
) -> None:
    found = {str(one["code"]) for one in verdicts[case.name]["findings"]}
    assert found == case.expected, case.reason


def test_the_table_is_wide_and_names_real_codes() -> None:
    assert len(BROKEN) >= 60
    assert {code for case in BROKEN for code in case.expected} <= CATALOGUE.keys()
