"""What every noun stands on. Imports nothing from the floors above and no SDK."""
