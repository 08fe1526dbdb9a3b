"""Deterministic simulation: a whole server under virtual time, on a disk that breaks, driven by a seed.

``world`` makes time, threads and the scheduler's choices follow from the seed; ``disk`` is the disk and what a power
failure may leave of it; ``load`` is what clients ask for, and what they were promised; ``machine`` is the server;
``judge`` compares what a disk holds with what was promised; ``play`` puts a life together, and crashes it in every disk
call.
"""
