"""The twin beside its process: the state at an instant, bands for what comes, and how good they were."""
