"""`python -m tests.torture [--number 1000]`: kill -9 at random instants, on SQLite and on PostgreSQL."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.databases import Cluster, _programs
from tests.torture.kills import Tally, tortured


def kills(number: int, fresh: int, seed: int) -> int:
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="sverka-torture-") as name:
        folder = Path(name)
        for place in ("sqlite", "postgresql"):
            (folder / place).mkdir()
        with tortured(folder / "sqlite", f"sqlite:///{folder}/sqlite/hub.db", seed) as torture:
            wrong += told("SQLite", torture.run(number, fresh))
        cluster = Cluster(_programs())
        try:
            with tortured(folder / "postgresql", cluster.url(cluster.create()), seed) as torture:
                wrong += told("PostgreSQL", torture.run(number, fresh))
        finally:
            cluster.stop()
    return int(wrong > 0)


def told(where: str, tally: Tally) -> int:
    print(f"{where}: {tally}", flush=True)
    for line in tally.wrong[:20]:
        print(f"  {line}")
    return len(tally.wrong)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--number", type=int, default=1000, help="kills per database")
    parser.add_argument("--fresh", type=int, default=0, help="of them new sverka processes; a tenth by default")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    order = parser.parse_args()
    print(f"seed {order.seed}")
    return kills(order.number, order.fresh or max(order.number // 10, 1), order.seed)


if __name__ == "__main__":
    sys.exit(main())
