"""The search for the highest maximum: starts, and moves on the best."""
