"""The people: clients, institutions and the society that they form (Mesa)."""
