"""Which of a pipeline's stages a side means that has words of its own for them, and may have one word for several. Pure.

A side that is given stages and says back in which state its record is names the state by the word that it was given, and by
what people call it. Where two stages share one state it names one of their words. So the two are taken together: the state
stands for the stages that either of them means, and for all between these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.config import Pipeline
from sync.lens import Lens
from sync.model.compare import spelled
from sync.reconcile import STATE, Graph


def graph_of(pipeline: Pipeline) -> Graph:
    """The stages of a pipeline as the decision wants them."""
    steps = {s.name: s.next for s in pipeline.stages if s.next is not None}
    return Graph.of([(s.name, s.semantic) for s in pipeline.stages], steps, pipeline.lost_reason)


def title_of(pipeline: Pipeline, stage: str | None) -> str | None:
    """What people call a stage."""
    return next((one.title for one in pipeline.stages if one.name == stage), None)


def state_of(fields: Mapping[str, Any]) -> str:
    """By what a state is known again: what people call it there, else its word; "" where the side speaks of none."""
    return spelled(fields.get("stage_title") or fields.get("stage") or "")


def meant(
    lens: Lens,
    pipeline: Pipeline,
    fields: Mapping[str, Any],
    current: str | None,
    agreed: Mapping[str, Any] | None = None,
) -> Any:
    """The stage that `fields` (`stage`: a word, `stage_title`: what it is called) speak of, seen from the deal's `current` one.

    Of a side that is written its stages word by word: what it says. Else that one itself where the state stands for it among
    others, or the nearest of them: the first on the way forward, the last where the deal has gone past all of them. A state
    that has not changed since it was agreed stands for the stage that was agreed with it, too, whichever of its words is
    named now. A word that stands for no stage is given back as it is; None: nothing is said. A state that stands for a loss
    counts for nothing while the side says that the record is not cancelled.
    """
    names = [one.name for one in pipeline.stages]
    word, title = fields.get("stage"), fields.get("stage_title")
    if "stage" in lens.two_way:
        return word
    called = [one.name for one in pipeline.stages if title and spelled(one.title) == spelled(title)]
    given = lens.words("stage", names).get(word) or [word]
    known = [agreed.get("stage")] if agreed and agreed.get(STATE) == state_of(fields) else []
    places = sorted({names.index(name) for name in (*called, *given, *known) if name in names})
    if fields.get("cancelled") is False:
        lost = {at for at, one in enumerate(pipeline.stages) if one.semantic == "lost"}
        if places and lost.issuperset(places):
            return None
        places = [at for at in places if at not in lost]
    if not places:
        return word
    here = names.index(current) if current in names else -1
    return names[min(max(here, places[0]), places[-1])]
