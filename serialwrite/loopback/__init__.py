"""Loopback validation: patterns, exact accounting of every byte, statistics and the report."""
