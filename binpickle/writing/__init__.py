"""Writing one file: the options, the plan of its chunks, the chunks encoded, the bytes handed to a sink."""
