"""What mixtura costs: the asv suite, and the table of the README."""
