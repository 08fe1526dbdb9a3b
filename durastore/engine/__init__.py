"""The command engine: sans-IO, without a clock."""
