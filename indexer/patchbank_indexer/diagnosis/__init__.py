"""What ``doctor`` looks at: settings, libraries, files, backbone, bank store."""
