"""What happens off the request path."""
