"""Who would pass under another SPF record, and the senders known by a word (render, pure)."""

from __future__ import annotations

from exo_auth.plan.spf_senders import SENDERS
from exo_auth.plan.spf_simulation import Simulation
from exo_auth.render.document import to_text
from exo_auth.render.record_change_text import changes_document
from exo_auth.render.safe_text import visible
from exo_auth.render.table import Table


def simulation_text(found: Simulation, output: str) -> str:
    """Write each sender's results before and after, and what is lost."""
    if output in ("json", "ndjson"):
        return to_text(
            {
                "schema": "exo-auth/spf-simulation/1",
                "change": changes_document([found.change], {})["changes"][0],
                "senders": [
                    {
                        "address": s.address,
                        "before": s.before,
                        "after": s.after,
                        "term": s.term,
                        "lost": s.is_lost,
                    }
                    for s in found.senders
                ],
                "lost_networks": list(found.lost),
                "unknown": list(found.unknown),
            }
        )
    table = Table(
        ("Sender", "Now", "Then", "By", "Lost"),
        tuple((s.address, s.before, s.after, s.term, "lost" if s.is_lost else "") for s in found.senders),
    )
    if output != "table":
        return table.to_text(output)
    after = [value for value in found.change.after if value not in found.change.before]
    lines = [f"{found.change.owner}: {visible(' '.join(after)) or 'nothing would change'}"]
    if found.senders:
        lines += [table.to_text("table")]
    lines += [f"note: {visible(text)}" for text in found.change.notes]
    lines += [f"lost: {network}" for network in found.lost]
    lines += [f"not known: {visible(text)}" for text in found.unknown]
    lost = len(found.lost) + sum(sender.is_lost for sender in found.senders)
    return "\n".join([*lines, "nobody who passes today is lost" if not lost else f"{lost} would be lost"])


def senders_text(output: str) -> str:
    """Write the catalogue of senders."""
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/spf-senders/1",
                "senders": [
                    {"word": s.word, "name": s.name, "term": s.term, "note": s.note or None} for s in SENDERS
                ],
            }
        )
    rows = tuple((s.word, s.name, s.term) for s in SENDERS)
    return Table(("Word", "Sender", "Term"), rows).to_text(output)
