"""Orchestration: configuration, observing, applying, journal, lock, recovery; the layer that knows both halves."""
