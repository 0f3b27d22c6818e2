"""What runs inside the guest, as root, beside pytest."""
