"""Images of the service, and what checks them."""
