"""The kinds of dask collections: how each is taken apart into parts and put together again."""
