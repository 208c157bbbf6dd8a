"""One module per use case; opens the transactions."""
