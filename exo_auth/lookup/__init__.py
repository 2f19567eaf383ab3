"""Names → facts about DNS (I/O, async): our own stub resolver, and what to ask for one mail domain."""
