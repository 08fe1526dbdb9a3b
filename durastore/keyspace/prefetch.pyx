# cython: language_level=3, boundscheck=False, wraparound=False
"""The compiled twin of prefetch.py.

A lookup in a cold dict waits for memory four times, each time for an address that the step before has given: the
table's head, the slot of its index, the entry, the key.  Here the four steps are taken for many lookups side by side,
each step as a prefetch that waits for nothing.  The layout comes from the headers of the Python that this is compiled
for (Objects/dictobject.c tells about it); nothing is changed, and no object is touched beyond its address.
"""

from cpython.list cimport PyList_GET_SIZE, PyList_GET_ITEM
from cpython.object cimport PyObject, PyObject_Hash

cdef extern from *:
    """
    #ifndef Py_BUILD_CORE
    #define Py_BUILD_CORE 1
    #endif
    #include "internal/pycore_dict.h"

    #define PREFETCH(address) __builtin_prefetch(address)

    static inline PyDictKeysObject *table_of(PyObject *dict) {
        return ((PyDictObject *)dict)->ma_keys;
    }

    static inline char *index_slot(PyDictKeysObject *table, Py_hash_t hash) {
        int width = 1 << (table->dk_log2_index_bytes - table->dk_log2_size);
        return (char *)table->dk_indices + (hash & ((1L << table->dk_log2_size) - 1)) * width;
    }

    /* The first entry that the lookup will look at; NULL where there is none. */
    static inline PyDictKeyEntry *first_entry(PyDictKeysObject *table, Py_hash_t hash) {
        char *slot = index_slot(table, hash);
        int width = 1 << (table->dk_log2_index_bytes - table->dk_log2_size);
        Py_ssize_t index = width == 1 ? *(int8_t *)slot : width == 2 ? *(int16_t *)slot : *(int32_t *)slot;
        if (index < 0 || width > 4 || table->dk_kind != DICT_KEYS_GENERAL) {
            return NULL;
        }
        return DK_ENTRIES(table) + index;
    }
    """
    ctypedef struct PyDictKeysObject:
        pass
    ctypedef struct PyDictKeyEntry:
        PyObject *me_key
        PyObject *me_value
    void PREFETCH(void *address)
    PyDictKeysObject *table_of(PyObject *table)
    char *index_slot(PyDictKeysObject *table, Py_hash_t hash)
    PyDictKeyEntry *first_entry(PyDictKeysObject *table, Py_hash_t hash)

cdef enum:
    AT_ONCE = 64


def prefetch(list tables, list keys):
    """See prefetch.py."""
    cdef PyDictKeysObject *heads[AT_ONCE]
    cdef Py_hash_t hashes[AT_ONCE]
    cdef PyDictKeyEntry *entries[AT_ONCE]
    cdef Py_ssize_t i, count = min(PyList_GET_SIZE(tables), PyList_GET_SIZE(keys), AT_ONCE)
    for i in range(count):
        heads[i] = table_of(PyList_GET_ITEM(tables, i))
        PREFETCH(heads[i])
        hashes[i] = PyObject_Hash(<object>PyList_GET_ITEM(keys, i))
    for i in range(count):
        PREFETCH(index_slot(heads[i], hashes[i]))
    for i in range(count):
        entries[i] = first_entry(heads[i], hashes[i])
        if entries[i] != NULL:
            PREFETCH(entries[i])
    for i in range(count):
        if entries[i] != NULL:
            PREFETCH(<void *>entries[i].me_key)
            PREFETCH(<char *>entries[i].me_key + 40)
            PREFETCH(<void *>entries[i].me_value)
