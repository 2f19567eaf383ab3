"""Who asks: secrets, credentials, tokens and their cache."""
