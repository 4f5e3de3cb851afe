"""The bank store on a Qdrant server or cluster."""
