"""The database: schema, sessions and every query. The only package that knows SQLAlchemy."""
