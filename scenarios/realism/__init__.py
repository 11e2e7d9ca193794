"""Does a simulated day look like a real one? Facts, their intervals, and the two side by side."""
