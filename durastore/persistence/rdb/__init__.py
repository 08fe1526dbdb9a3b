"""RDB: Redis's file format for a whole keyspace, and its payloads for single values.

``writer`` and ``reader`` are the files; ``dump`` the payloads of DUMP and RESTORE.  Below them: ``encoding`` and
``decoding`` (values), ``streams`` and ``legacy`` (compact encodings; the usual one is ``keyspace.listpack``),
``primitives`` and ``cursor`` (numbers and strings, written and read), ``format`` (the constants).
"""

from durastore.persistence.rdb.dump import dump_functions, dump_value, load_dump, load_functions
from durastore.persistence.rdb.format import RdbError
from durastore.persistence.rdb.reader import RdbReader
from durastore.persistence.rdb.writer import RdbWriter

__all__ = ["RdbError", "RdbReader", "RdbWriter", "dump_functions", "dump_value", "load_dump", "load_functions"]
