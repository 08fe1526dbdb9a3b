"""Scripts in Lua 5.1, and functions: what EVAL and FCALL run (https://redis.io/docs/latest/develop/interact/programmability/)."""
