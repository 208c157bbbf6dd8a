"""A tenant as one file: `export` writes it, `bring` makes the tenant of it in another deployment."""
