"""Rows that come by once: what a stream has learned, how it goes on, and its options."""
