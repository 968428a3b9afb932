"""Maps as the rest of psseg sees them, and the readers that make them from files."""
