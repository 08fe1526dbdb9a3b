"""What is on disk: RDB, AOF, snapshots, loading.  All file access goes through ``disk.py``."""
