"""Teaching: normal images become a bank version with thresholds."""
