"""The laboratory: worlds, levers, experiments and evidence."""
