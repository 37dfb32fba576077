"""Reading one file: from a source to its object, its buffers, and its facts.

In the order of the work: `tables` reads the index, `filereader` reads chunks, `stream` and `buffers` read what the
unpickler asks for (`memory` and `pages` have the room for it), and `loading` directs a load. `description` and
`entries` tell what an open file holds.
"""
