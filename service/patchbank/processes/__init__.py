"""Work in processes of its own: started, called with a deadline, killed and replaced, held to a memory limit."""
