"""Compliance: what the law lets a client buy, and the checks that come late."""
