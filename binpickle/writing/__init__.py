"""Writing one file: from pickle stream and buffers to a sink.

In the order of the work: `options` checks the arguments, `stream` cuts the pickle stream, `plan` cuts the buffers,
`chunk` encodes one chunk, and `filewriter` directs all of them. `staged` has an object pickled and copied (`copying`)
before it is written; a dump plays that back (`playback`).
"""
