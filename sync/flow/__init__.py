"""One record's journey, in the order in which it is travelled: take, absorb, weave, deliver."""
