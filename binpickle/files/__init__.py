"""Where the bytes of a file come from (`source`) and where they go (`sink`)."""
