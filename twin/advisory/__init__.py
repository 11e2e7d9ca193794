"""Service and advice: who answers clients, and how long they wait."""
