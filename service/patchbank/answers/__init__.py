"""What the API answers: fields may be added, none renamed. The service makes it, and the client reads it."""
