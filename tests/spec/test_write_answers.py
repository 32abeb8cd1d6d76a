"""What the answer to a write shows besides what was written."""

from __future__ import annotations

from pathlib import Path

from sync.hub import acts, works
from tests.peers.mail import SmtpPeer
from tests.peers.woo import WooPeer
from tests.spec.kill import Rig
from tests.spec.kill_child import SqliteDatabase
from tests.spec.kill_scenarios import in_shop, lines, order_in_1c


def test_a_refund_made_just_before_our_write_is_not_lost(tmp_path: Path, sqlite_template: Path) -> None:
    with WooPeer() as shop:
        rig = Rig(tmp_path, SqliteDatabase(tmp_path, sqlite_template), shop, SmtpPeer())
        rig.configure(["shop", "onec"], {})
        order_in_1c(rig)
        shop.refund(in_shop(rig)["id"], "10.00")
        with rig.calm() as hub:
            hub.stage("1043", "in_work")
            acts.run_commands(hub.hub)
            works.deliver(hub.hub, hub.hub.plugs["shop"])
            assert in_shop(rig)["status"] == "processing"
            hub.finish()
            state = hub.state()
    assert len(lines(state, "document", '"kind":"refund"', '"amount":"10.00"')) == 1
    assert len(lines(state, "activity", '"direction":"out"', "10.00")) == 1
