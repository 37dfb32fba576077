"""One chunk to encoded bytes and back, by the codec chains that a file may name. Pure: bytes in, bytes out."""
