"""Event logs of business processes: read, check, write."""
