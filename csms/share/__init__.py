"""What leaves the service: clients of others."""
