"""The theme Harbour. The product reads the folder beside this file and runs nothing of it."""
