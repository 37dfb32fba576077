"""An object to a pickle stream and out-of-band buffers, and back. Pure: no file, no thread."""
