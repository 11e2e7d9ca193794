"""The exchange: books in price-time priority, call auctions, phases, and the replay of recorded days."""
