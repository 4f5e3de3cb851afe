"""Patchbank's command line: it fills and tends the banks that the service serves."""
