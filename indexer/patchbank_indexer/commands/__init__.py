"""The commands: options in, what is told of the work out."""
