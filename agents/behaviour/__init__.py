"""How people behave: the day's profile, attention and fear."""
