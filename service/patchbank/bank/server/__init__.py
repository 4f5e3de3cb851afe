"""The bank store on a Qdrant server or cluster."""

import os

# gRPC's core writes each failed handshake to standard error, in its own words; errors that we raise say it in ours.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
