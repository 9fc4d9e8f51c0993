"""What makes one preimage better than another."""
