"""Writes to the other systems: intents committed before the call, outcomes settled by reading, batches that are fetched."""
