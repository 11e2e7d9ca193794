"""Clearing: fees to the fen, netting, settlement and the broker's end-of-day batch."""
