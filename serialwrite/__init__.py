"""serialwrite."""
