"""How well a discovered process reproduces what a log goes on with: beside published figures and replay."""
