"""Facts to findings: one file a subject, each with one public `check` (pure)."""
