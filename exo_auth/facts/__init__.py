"""What was seen, as data: written by lookup/ and exchange/, read by checks/ and plan/ (pure)."""
