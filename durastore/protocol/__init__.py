"""RESP2 and RESP3: bytes in, values out; values in, bytes out."""
