"""Experiments: many runs of scenarios, their ledger on disk and their comparison."""
