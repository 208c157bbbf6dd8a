"""The data path to the providers: an own HTTP/1.1 client and a module per dialect. Knows no tenant, price, database."""
