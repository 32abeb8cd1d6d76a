"""One contact event as evidence: whose keys it shows, by what name, for which company. Nothing here looks into the base.

The four shapes (web_form, email, order, call) and their fields are those of `sverka identity eval`; unknown fields are ignored.
"""

from sync.identity.evidence.event import read
from sync.identity.evidence.forms import oneself
from sync.identity.evidence.gather import FORM, MANY
from sync.identity.evidence.sender import Evidence, Own

__all__ = ["FORM", "MANY", "Evidence", "Own", "oneself", "read"]
