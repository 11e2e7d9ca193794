"""Words and picture of the call centre's prediction."""
