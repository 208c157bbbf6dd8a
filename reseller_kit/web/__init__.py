"""ASGI and Litestar: hosts, the API gateway, the storefront's pages."""
