"""The mapping language: a file in `mappings/` compiled into a lens, that is a pair of get and put under two laws.

See docs/mappings.md for the language. Reading never raises: what cannot be read is a named problem of the record.
"""

from sync.lens.laws import check_laws
from sync.lens.lens import Lens
from sync.lens.load import Mapping, load
from sync.lens.paths import apply_patch
from sync.lens.plans import FieldProblem, Translated

__all__ = ["FieldProblem", "Lens", "Mapping", "Translated", "apply_patch", "check_laws", "load"]
