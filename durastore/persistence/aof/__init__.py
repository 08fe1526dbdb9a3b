"""The append-only file in Redis 7's multi-part form.

``manifest`` says which files there are, ``annotations`` how their stretches are checked, ``writer`` and ``reader`` are
one file each; ``log`` is the log of a running server, ``rewrite`` makes new bases for it.
"""
