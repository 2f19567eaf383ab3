"""Text to record and back: one module a grammar, no DNS, no HTTP, no clock (pure)."""
