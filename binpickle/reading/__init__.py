"""Reading one file: its tables, its chunks, its buffers and stream, and what the file says about itself."""
