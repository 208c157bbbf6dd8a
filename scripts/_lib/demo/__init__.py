"""What scripts/demo does. It drives the product from outside: by its files, its command line and its HTTP API."""
