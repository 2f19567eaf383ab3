"""Desired state, facts and findings to a plan: what to do, in which order, and why (pure)."""
