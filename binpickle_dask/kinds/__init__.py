"""The kinds of dask collections: how each is taken apart into parts, and made again from them."""
