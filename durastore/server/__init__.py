"""The process around the engine: sockets, signals, periodic work."""
