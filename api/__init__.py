"""The door: HTTP in, records and work out."""
