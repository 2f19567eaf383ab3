"""Plans, findings, outcomes → terminal, JSON, CSV, Markdown, SARIF, JUnit (pure)."""
