"""Backups of a log, in a folder or an object store.

``store`` is where objects are kept, ``catalogue`` tells what a backup is made of; ``making`` makes one and ``reading``
gives it back; ``keeping`` removes those that are no longer wanted.
"""
