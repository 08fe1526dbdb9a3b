"""The data: segmented tables, databases, value types.  No protocol, no I/O, no clock."""
