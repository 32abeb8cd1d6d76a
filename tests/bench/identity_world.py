"""A made-up world of companies, people and contact events with the right answers, from any seed: the cases of
the shared sample and some that it lacks, with other names. All names, numbers and addresses are invented.

`python -m tests.bench.identity_world DIR SEED [EVENTS]` writes base.jsonl, events.jsonl, truth.jsonl and meta.json.
"""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.bench.identity_cases import Cases
from tests.bench.identity_contacts import signs_of
from tests.bench.identity_people import Firm, Human, mail_form


class World(Cases):
    """`events(n)` after `World(seed)`; the answers stand in `truth`, in the scorer's form."""

    # -- what happens -------------------------------------------------------------------------------------------------------

    def events(self, count: int) -> None:
        makers = {
            self._form: 20,
            self._order: 16,
            self._letter: 26,
            self._call: 13,
            self._family_named: 3,
            self._family_call: 1,
            self._colleague: 3,
            self._role_box: 4,
            self._office_call: 4,
            self._typo_mail: 2,
            self._typo_phone: 2,
            self._recycled: 0.6,
            self._job_change: 0.6,
            self._inn_form: 2.4,
            self._trader: 2,
            self._agent: 1.4,
            self._forward: 0.5,
            self._gift: 0.8,
            self._market: 2.6,
            self._hidden: 0.8,
            self._robot: 1.8,
            self._second_mail: 2.4,
            self._namesake: 1.5,
            self._lookalike: 0.5,
            self._reply_to: 0.4,
            self._outgoing: 0.5,
            self._rename: 0.4,
        }
        moment = datetime(2026, 3, 1, 8, tzinfo=UTC)
        while len(self.rows) < count:
            maker = self.random.choices(list(makers), list(makers.values()))[0]
            made = maker()
            if made is None:
                continue
            event, human, firm, case, extra = made
            moment += timedelta(seconds=self.random.randint(1, 1800))
            number = f"E{len(self.rows):06d}"
            self.rows.append({"event_id": number, "at": moment.replace(tzinfo=None).isoformat(), **event})
            self._judge(number, event, human, firm, case, **extra)

    def _judge(
        self,
        number: str,
        event: dict[str, Any],
        human: Human | None,
        firm: Firm | None,
        case: str,
        nobody: bool = False,
        ambiguous: list[str] | None = None,
        shown: set[str] | None = None,
        learn: bool = True,
        no_person: bool = False,
    ) -> None:
        if nobody:
            self.truth.append(
                {
                    "event_id": number,
                    "client": None,
                    "person": None,
                    "known_client": False,
                    "known_person": False,
                    "ambiguous": None,
                    "case": case,
                    "reachable_client": False,
                    "reachable_person": False,
                }
            )
            return
        client = firm.id if firm else human.id if human else None
        signs = shown if shown is not None else signs_of(event)
        personal = {s for s in signs if "@" in s or s.startswith("+79")}
        by_person = human is not None and bool(personal & human.known)
        own = bool(firm) and bool(signs & firm.known) if firm else by_person
        via = by_person and (firm is None or firm.id in human.told) if human else False
        self.truth.append(
            {
                "event_id": number,
                "client": client,
                "person": None if no_person or human is None else human.id,
                "known_client": client in self.held,
                "known_person": bool(human) and human.id in self.held,
                "ambiguous": ambiguous,
                "case": case,
                "reachable_client": bool(own or via),
                "reachable_person": by_person,
            }
        )
        if learn and case != "marketplace":
            if human is not None and not no_person:
                human.known |= personal
            if firm is not None:
                firm.known |= {s for s in signs if s.isdigit() or (s.startswith("+7") and not s.startswith("+79"))}
                firm.known |= {s for s in signs if s == mail_form(firm.email)} | (
                    {firm.domain} & signs if firm.domain else set()
                )
                if human is not None:
                    human.told.add(firm.id)
            if client:
                self.held.add(client)


def write(
    folder: Path,
    seed: int,
    events: int = 3000,
    firms: int = 200,
    humans: int = 600,
    stock: str = "russian",
    dense: int = 1,
) -> None:
    world = World(seed, firms, humans, stock, dense)
    base = world.base()
    world.events(events)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("base", base), ("events", world.rows), ("truth", world.truth)):
        (folder / f"{name}.jsonl").write_text(
            "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8"
        )
    rows = World(seed + 1000, firms, humans, stock, dense).records()
    for name, columns in (("records", [c for c in rows[0] if c != "truth"]), ("truth", ["id", "cluster"])):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows({**row, "cluster": row["truth"]} for row in rows)
    meta = {"own_domains": ["ourfirm.ru"], "own_lines": ["+74951112233"]}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 3000)
