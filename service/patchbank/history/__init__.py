"""What was judged, and what people said of it."""
