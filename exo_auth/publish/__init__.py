"""DNS records → whoever runs the zone (publish; I/O)."""
