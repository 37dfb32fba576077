"""How the strict machine rebuilds the built-in types: one module for each family of types."""
