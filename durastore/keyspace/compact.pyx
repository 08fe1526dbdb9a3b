# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The compiled twin of compact.py.

A dict that holds keys and short values in memory of its own, not as Python objects: an object of a key and one of a
value, each with its header, and a dict's index and entry would cost three times as much as what they hold.

An *entry* is one allocation: a head of eight bytes, the key, and then the value: its bytes, a number of eight bytes, or
a pointer to an object.  Of the head, nine bits are the length of the value's bytes or else its kind, 31 the length of
the key, and the upper 24 say when the key was used: Redis's LRU clock, or its LFU counter (see ``Meter``).

The *slots* are an open hash table of 64-bit words, 0 where free: the address of an entry in the low 48 bits (what x86-64
and ARM64 give to a program), and above it a *tag*, 16 bits of the key's hash.  The tag alone says where an entry's probe
begins, ``tag * width >> 16``, so that neither growing nor closing the gap that a removal leaves looks at an entry,
and a lookup touches a foreign entry once in thousands of times.

A *frozen* dict is the state of another, its *origin*, at one moment, for the price of a copy of the slots: the two share
the entries (of which only the mark of use still changes).  Two low bits of a slot, which no address needs, tell whose an
entry is.  In the origin's slots, SHARED: the frozen one has it as well, so it is neither changed nor freed here.  In the
frozen dict's slots, OWNED: the origin has it no more, so it is freed with the frozen one; all others are the origin's.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.list cimport PyList_GET_ITEM
from cpython.mem cimport PyObject_Calloc, PyObject_Free, PyObject_Malloc
from cpython.object cimport PyObject, PyObject_Hash
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport uint64_t, int64_t
from libc.string cimport memcmp, memcpy

cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030E0000
    #define HASH_BYTES(start, size) Py_HashBuffer(start, size)
    #else
    #define HASH_BYTES(start, size) _Py_HashBytes(start, size)
    #endif
    #define PREFETCH(address) __builtin_prefetch(address)

    static inline int fits_int64(PyObject *number, int64_t *value) {
        int overflow = 0;
        if (!PyLong_CheckExact(number)) {
            return 0;
        }
        *value = PyLong_AsLongLongAndOverflow(number, &overflow);
        return !overflow;
    }
    """
    Py_hash_t HASH_BYTES(const void *start, Py_ssize_t size)
    bint fits_int64(PyObject *number, int64_t *value)
    void PREFETCH(const void *address)

cdef enum:
    # Values of up to so many bytes stand in the entry, and their length is their kind; the other kinds.
    SHORT = 440
    NONE = 441
    INTEGER = 442
    FLOAT = 443
    OBJECT = 444
    KEY_SHIFT = 9
    USE_SHIFT = 40
    # What an object of bytes takes beside them.
    BYTES_HEAD = 33
    # A segment's own objects: about what they take for each of its two dicts.
    DICT_HEAD = 176
    # LFU: the counter of a new key.
    LFU_INIT = 5
    # Slots of the first table.
    LEAST = 4
    # How the allocator rounds sizes, and up to where.
    ROUND = 16
    ROUNDED_MAX = 512
    # Hash space, see positions.py.
    HASH_BITS = 63
    # How many lookups ``prefetch`` takes side by side.
    AT_ONCE = 64
    # A pass over all entries has memory fetch the one that comes so many slots later.
    AHEAD = 12

INLINE_MAX = SHORT
cdef uint64_t KIND_MASK = 0x1FF
cdef uint64_t KEY_MASK = 0x7FFFFFFF
cdef uint64_t USE_MASK = 0xFFFFFF

cdef uint64_t ADDRESS = 0xFFFFFFFFFFF0
# Flags of slots.
cdef uint64_t SHARED = 1
cdef uint64_t OWNED = 2
cdef uint64_t HASH_MASK = 0x7FFFFFFFFFFFFFFF


cdef inline uint64_t kind_of(char *entry) noexcept:
    return (<uint64_t *>entry)[0] & KIND_MASK


cdef inline Py_ssize_t key_size(char *entry) noexcept:
    return ((<uint64_t *>entry)[0] >> KEY_SHIFT) & KEY_MASK


cdef inline uint64_t use_of(char *entry) noexcept:
    return (<uint64_t *>entry)[0] >> USE_SHIFT


cdef inline void set_use(char *entry, uint64_t use) noexcept:
    (<uint64_t *>entry)[0] = (<uint64_t *>entry)[0] & ((<uint64_t>1 << USE_SHIFT) - 1) | (use << USE_SHIFT)


cdef inline char *key_start(char *entry) noexcept:
    return entry + 8


cdef inline char *value_start(char *entry) noexcept:
    return entry + 8 + key_size(entry)


cdef inline Py_ssize_t room(Py_ssize_t size) noexcept:
    """How much is asked for: what the allocator gives anyhow, so that a value may grow into it."""
    return size if size > ROUNDED_MAX else (size + ROUND - 1) & ~<Py_ssize_t>(ROUND - 1)


cdef inline Py_ssize_t allocated(Py_ssize_t size) noexcept:
    """What an allocation of so many bytes takes."""
    return room(size) if size <= ROUNDED_MAX else (size + 8 + ROUND - 1) & ~<Py_ssize_t>(ROUND - 1)


cdef inline PyObject *held_object(char *entry) noexcept:
    cdef PyObject *value
    memcpy(&value, value_start(entry), 8)
    return value


cdef inline char *entry_at(uint64_t slot) noexcept:
    return <char *>(slot & ADDRESS)


cdef object key_of(char *entry):
    return PyBytes_FromStringAndSize(key_start(entry), key_size(entry))


cdef object value_of(char *entry):
    cdef uint64_t kind = kind_of(entry)
    cdef int64_t integer
    cdef double number
    if kind <= SHORT:
        return PyBytes_FromStringAndSize(value_start(entry), kind)
    if kind == OBJECT:
        return <object>held_object(entry)
    if kind == NONE:
        return None
    if kind == INTEGER:
        memcpy(&integer, value_start(entry), 8)
        return integer
    memcpy(&number, value_start(entry), 8)
    return number


cdef char *copy_of(char *entry) except NULL:
    """A copy of an entry, with a reference of its own to its object."""
    cdef Py_ssize_t size = 8 + key_size(entry) + payload(entry)
    cdef char *copy = <char *>PyObject_Malloc(room(size))
    if copy == NULL:
        raise MemoryError
    memcpy(copy, entry, size)
    if kind_of(copy) == OBJECT:
        Py_INCREF(<object>held_object(copy))
    return copy


cdef void free_entry(char *entry) noexcept:
    cdef PyObject *value
    if kind_of(entry) == OBJECT:
        value = held_object(entry)
        PyObject_Free(entry)
        Py_DECREF(<object>value)
    else:
        PyObject_Free(entry)


@cython.final
cdef class Meter:
    """See compact.py."""
    cdef public int64_t bytes
    cdef public uint64_t clock
    cdef public bint marking
    cdef public bint counting
    cdef public uint64_t log_factor
    cdef public uint64_t decay_time
    # The state of a generator of random numbers (xorshift64).
    cdef uint64_t random

    def __cinit__(self):
        self.bytes = 0
        self.clock = 0
        self.marking = True
        self.counting = False
        self.log_factor = 10
        self.decay_time = 1
        self.random = 0x9E3779B97F4A7C15

    cdef inline uint64_t first(self) noexcept:
        """The mark of a new key."""
        return (self.clock & 0xFFFF) << 8 | LFU_INIT if self.counting else self.clock & USE_MASK

    cdef uint64_t decayed(self, uint64_t use) noexcept:
        """The counter of a mark, less what the time since then takes from it."""
        cdef uint64_t counter = use & 0xFF
        cdef uint64_t periods
        if self.decay_time == 0:
            return counter
        periods = ((self.clock - (use >> 8)) & 0xFFFF) // self.decay_time
        return counter - periods if periods < counter else 0

    cdef uint64_t used(self, uint64_t use) noexcept:
        """The mark of a key that is used now."""
        cdef uint64_t counter, above
        if not self.counting:
            return self.clock & USE_MASK
        counter = self.decayed(use)
        if counter < 255:
            self.random ^= self.random << 13
            self.random ^= self.random >> 7
            self.random ^= self.random << 17
            above = counter - LFU_INIT if counter > LFU_INIT else 0
            if <double>(self.random >> 11) * (above * self.log_factor + 1) < 9007199254740992.0:
                counter += 1
        return (self.clock & 0xFFFF) << 8 | counter

    def frequency(self, uint64_t use):
        return self.decayed(use)


@cython.final
@cython.no_gc
cdef class CompactDict:
    """See compact.py."""
    cdef uint64_t *slots
    cdef Py_ssize_t width
    cdef Py_ssize_t count
    cdef Meter meter
    # Whether uses of keys are marked.
    cdef bint marks
    # What is counted in the meter as this dict's.
    cdef Py_ssize_t bytes
    # How many values are of the kind OBJECT.
    cdef Py_ssize_t held_count
    cdef bint is_frozen
    # Of a frozen dict its origin, of an origin its frozen dict, as long as both are there.
    cdef PyObject *twin

    def __cinit__(self, Meter meter=None, bint marks=False):
        self.meter = meter
        self.marks = marks and meter is not None
        self.bytes = 0
        if meter is not None:
            self._charge(DICT_HEAD)
        self.slots = NULL
        self.width = 0
        self.count = 0
        self.held_count = 0
        self.is_frozen = False
        self.twin = NULL

    def __dealloc__(self):
        cdef Py_ssize_t i
        self._part()
        for i in range(self.width):
            if self.slots[i] and (not self.is_frozen or self.slots[i] & OWNED):
                free_entry(entry_at(self.slots[i]))
        PyObject_Free(self.slots)
        if self.meter is not None:
            self.meter.bytes -= self.bytes

    cdef inline void _charge(self, Py_ssize_t size) noexcept:
        self.bytes += size
        if self.meter is not None:
            self.meter.bytes += size

    cdef Py_ssize_t _weight(self, object value) except -1:
        """What an object is counted with."""
        if PyBytes_CheckExact(value):
            return allocated(PyBytes_GET_SIZE(value) + BYTES_HEAD)
        return value.weight if self.meter is not None else 0

    cdef inline Py_ssize_t _size_of(self, char *entry) except -1:
        """What an entry and its object are counted with."""
        cdef Py_ssize_t size = allocated(8 + key_size(entry) + payload(entry))
        if kind_of(entry) == OBJECT:
            size += self._weight(<object>held_object(entry))
        return size

    cdef void _part(self) noexcept:
        """Ends what is between an origin and its frozen dict, when one of them goes."""
        cdef Py_ssize_t i
        cdef CompactDict twin
        if self.twin == NULL:
            return
        twin = <CompactDict>self.twin
        self.twin = twin.twin = NULL
        if self.is_frozen:
            for i in range(twin.width):
                twin.slots[i] &= ~SHARED
        else:
            for i in range(self.width):
                if self.slots[i] & SHARED:
                    twin._adopt(self.slots[i])
                    self.slots[i] = 0

    cdef void _adopt(self, uint64_t slot) noexcept:
        """A frozen dict becomes the owner of an entry that its origin gives up."""
        cdef Py_ssize_t i = ((slot >> 48) * self.width) >> 16
        while self.slots[i] & ADDRESS != slot & ADDRESS:
            i += 1
            if i == self.width:
                i = 0
        self.slots[i] |= OWNED

    cdef inline void _let_go(self, uint64_t slot) noexcept:
        """Frees an entry that is in no slot any more, unless it is shared."""
        if slot & SHARED:
            (<CompactDict>self.twin)._adopt(slot)
        else:
            free_entry(entry_at(slot))

    cdef int _detach(self) except -1:
        """Leaves all that is shared to the frozen dict, and goes on with copies."""
        cdef Py_ssize_t i
        cdef char *entry
        if self.twin == NULL:
            return 0
        for i in range(self.width):
            if self.slots[i] & SHARED:
                entry = copy_of(entry_at(self.slots[i]))
                (<CompactDict>self.twin)._adopt(self.slots[i])
                self.slots[i] = (self.slots[i] & ~(ADDRESS | SHARED)) | <uint64_t>entry
        (<CompactDict>self.twin).twin = NULL
        self.twin = NULL
        return 0

    def freeze(self):
        cdef CompactDict frozen
        cdef Py_ssize_t i
        if self.twin != NULL or self.count == 0:
            return self.copy()
        frozen = CompactDict()
        frozen.slots = <uint64_t *>PyObject_Malloc(self.width * 8)
        if frozen.slots == NULL:
            raise MemoryError
        memcpy(frozen.slots, self.slots, self.width * 8)
        for i in range(self.width):
            self.slots[i] |= <uint64_t>(self.slots[i] != 0) & SHARED
        frozen.width = self.width
        frozen.count = self.count
        frozen.held_count = self.held_count
        frozen.is_frozen = True
        frozen.twin = <PyObject *>self
        self.twin = <PyObject *>frozen
        return frozen

    def objects(self):
        cdef Py_ssize_t i
        cdef list found = []
        if self.held_count == 0:
            return found
        for i in range(self.width):
            if i + AHEAD < self.width:
                PREFETCH(entry_at(self.slots[i + AHEAD]))
            if self.slots[i] and kind_of(entry_at(self.slots[i])) == OBJECT:
                found.append(<object>held_object(entry_at(self.slots[i])))
        return found

    def __len__(self):
        return self.count

    def __bool__(self):
        return self.count != 0

    cdef inline Py_ssize_t _find(self, bytes key) except -2:
        """The index of the key's slot, or -1."""
        if self.count == 0:
            return -1
        cdef uint64_t tag = PyObject_Hash(key) & 0xFFFF
        cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
        cdef Py_ssize_t i = (tag * self.width) >> 16
        cdef uint64_t slot
        cdef char *entry
        while True:
            slot = self.slots[i]
            if slot == 0:
                return -1
            if slot >> 48 == tag:
                entry = entry_at(slot)
                if key_size(entry) == size and memcmp(key_start(entry), PyBytes_AS_STRING(key), size) == 0:
                    return i
            i += 1
            if i == self.width:
                i = 0

    cdef inline void _place(self, uint64_t slot) noexcept:
        """Puts an entry in the first free slot of its probe; there is one."""
        cdef Py_ssize_t i = ((slot >> 48) * self.width) >> 16
        while self.slots[i]:
            i += 1
            if i == self.width:
                i = 0
        self.slots[i] = slot

    cdef int _resize(self, Py_ssize_t width) except -1:
        cdef uint64_t *old = self.slots
        cdef Py_ssize_t i, size = self.width
        cdef uint64_t *fresh = <uint64_t *>PyObject_Calloc(width, 8)
        if fresh == NULL:
            raise MemoryError
        self._charge(allocated(width * 8) - (allocated(size * 8) if size else 0))
        self.slots = fresh
        self.width = width
        for i in range(size):
            if old[i]:
                self._place(old[i])
        PyObject_Free(old)
        return 0

    cdef int _make_room(self) except -1:
        """Sees to it that a fifth of the slots is free after one more entry."""
        if (self.count + 1) * 5 > self.width * 4:
            self._resize(max(LEAST, self.width + (self.width >> 2) + 1))
        return 0

    cdef inline void _write_value(self, char *entry, uint64_t kind, Py_ssize_t size, uint64_t use, object value,
                                  int64_t integer) noexcept:
        """Fills in all of an entry but its key."""
        cdef PyObject *pointer
        cdef double number
        (<uint64_t *>entry)[0] = kind | (<uint64_t>size << KEY_SHIFT) | (use << USE_SHIFT)
        cdef char *start = value_start(entry)
        if kind <= SHORT:
            memcpy(start, PyBytes_AS_STRING(value), kind)
        elif kind == INTEGER:
            memcpy(start, &integer, 8)
        elif kind == FLOAT:
            number = PyFloat_AS_DOUBLE(value)
            memcpy(start, &number, 8)
        elif kind == OBJECT:
            Py_INCREF(value)
            pointer = <PyObject *>value
            memcpy(start, &pointer, 8)

    def __setitem__(self, bytes key not None, value):
        cdef Py_ssize_t i = self._find(key)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
        cdef Py_ssize_t needed = 8 + size, weight = 0
        cdef uint64_t kind = OBJECT, use
        cdef int64_t integer = 0
        cdef uint64_t slot
        cdef char *entry
        cdef char *old
        if <uint64_t>size > KEY_MASK:
            raise MemoryError
        if PyBytes_CheckExact(value):
            if PyBytes_GET_SIZE(value) <= SHORT:
                kind = PyBytes_GET_SIZE(value)
                needed += kind
            else:
                needed += 8
                weight = allocated(PyBytes_GET_SIZE(value) + BYTES_HEAD)
        elif value is None:
            kind = NONE
        else:
            needed += 8
            if PyFloat_CheckExact(value):
                kind = FLOAT
            elif fits_int64(<PyObject *>value, &integer):
                kind = INTEGER
        if i >= 0:
            slot = self.slots[i]
            old = entry_at(slot)
            use = use_of(old)
            if self.marks and self.meter.marking:
                use = self.meter.used(use) if self.meter.counting else self.meter.clock & USE_MASK
            if slot & SHARED == 0 and kind_of(old) != OBJECT and room(needed) == room(8 + size + payload(old)):
                if kind == OBJECT:
                    if self.meter is not None and weight == 0:
                        weight = value.weight or value.weigh()
                    self.held_count += 1
                    self._charge(weight)
                self._write_value(old, kind, size, use, value, integer)
                return
            weight -= self._size_of(old)
            if kind == OBJECT and self.meter is not None and not PyBytes_CheckExact(value):
                weight += value.weight or value.weigh()
            entry = <char *>PyObject_Malloc(room(needed))
            if entry == NULL:
                raise MemoryError
            memcpy(key_start(entry), key_start(old), size)
            self._write_value(entry, kind, size, use, value, integer)
            self.slots[i] = (slot & ~(ADDRESS | SHARED)) | <uint64_t>entry
            self.held_count += <Py_ssize_t>(kind == OBJECT) - <Py_ssize_t>(kind_of(old) == OBJECT)
            self._charge(allocated(needed) + weight)
            self._let_go(slot)
            return
        if kind == OBJECT and self.meter is not None and weight == 0:
            weight = value.weight or value.weigh()
        self._make_room()
        entry = <char *>PyObject_Malloc(room(needed))
        if entry == NULL:
            raise MemoryError
        memcpy(key_start(entry), PyBytes_AS_STRING(key), size)
        self._write_value(entry, kind, size, self.meter.first() if self.marks else 0, value, integer)
        self._place((<uint64_t>(PyObject_Hash(key) & 0xFFFF) << 48) | <uint64_t>entry)
        self.held_count += kind == OBJECT
        self.count += 1
        self._charge(allocated(needed) + weight)

    def __getitem__(self, bytes key not None):
        cdef Py_ssize_t i = self._find(key)
        cdef uint64_t use
        cdef char *entry
        if i < 0:
            return None
        entry = entry_at(self.slots[i])
        if self.marks and self.meter.marking:
            use = self.meter.used(use_of(entry)) if self.meter.counting else self.meter.clock & USE_MASK
            if use != use_of(entry):
                # An entry that is not written to need not be written back from the cache.
                set_use(entry, use)
        return value_of(entry)

    def held(self, bytes key not None):
        cdef Py_ssize_t i
        cdef char *entry
        if self.held_count == 0:
            return None
        i = self._find(key)
        if i < 0:
            return None
        entry = entry_at(self.slots[i])
        return <object>held_object(entry) if kind_of(entry) == OBJECT else None

    def use(self, bytes key not None):
        cdef Py_ssize_t i = self._find(key)
        return 0 if i < 0 else use_of(entry_at(self.slots[i]))

    def mark(self, bytes key not None, uint64_t use):
        cdef Py_ssize_t i = self._find(key)
        if i >= 0:
            set_use(entry_at(self.slots[i]), use & USE_MASK)

    def reweigh(self, bytes key not None, value):
        cdef Py_ssize_t i = self._find(key), before
        cdef char *entry
        if i < 0:
            return
        entry = entry_at(self.slots[i])
        if kind_of(entry) == OBJECT and held_object(entry) == <PyObject *>value:
            before = value.weight
            self._charge(<Py_ssize_t>value.weigh() - before)

    def sample(self, Py_ssize_t number, Py_ssize_t wanted):
        cdef list found = []
        cdef Py_ssize_t i, j
        cdef char *entry
        if self.count == 0:
            return found
        j = number % self.width
        for i in range(self.width):
            if self.slots[j]:
                entry = entry_at(self.slots[j])
                found.append((key_of(entry), use_of(entry)))
                wanted -= 1
                if wanted <= 0:
                    break
            j += 1
            if j == self.width:
                j = 0
        return found

    def __contains__(self, bytes key not None):
        return self._find(key) >= 0

    cdef void _remove(self, Py_ssize_t gap) noexcept:
        """Empties a slot, and closes the gap so that every entry still stands in its probe."""
        cdef uint64_t removed = self.slots[gap], slot
        cdef Py_ssize_t i = gap, home
        while True:
            i += 1
            if i == self.width:
                i = 0
            slot = self.slots[i]
            if slot == 0:
                break
            home = ((slot >> 48) * self.width) >> 16
            if (home <= gap or home > i) if gap <= i else (home <= gap and home > i):
                self.slots[gap] = slot
                gap = i
        self.slots[gap] = 0
        self.count -= 1
        self.held_count -= kind_of(entry_at(removed)) == OBJECT
        self._let_go(removed)

    def __delitem__(self, bytes key not None):
        cdef Py_ssize_t i = self._find(key)
        if i < 0:
            raise KeyError(key)
        self._charge(-self._size_of(entry_at(self.slots[i])))
        self._remove(i)
        if self.width > 2 * LEAST and self.count * 3 < self.width:
            self._resize(max(LEAST, self.count + (self.count >> 1) + 1))

    def keys(self):
        cdef Py_ssize_t i
        cdef list found = []
        for i in range(self.width):
            if self.slots[i]:
                found.append(key_of(entry_at(self.slots[i])))
        return found

    def values(self):
        cdef Py_ssize_t i
        cdef list found = []
        for i in range(self.width):
            if self.slots[i]:
                found.append(value_of(entry_at(self.slots[i])))
        return found

    def items(self):
        cdef Py_ssize_t i
        cdef char *entry
        cdef list found = []
        for i in range(self.width):
            if self.slots[i]:
                entry = entry_at(self.slots[i])
                found.append((key_of(entry), value_of(entry)))
        return found

    def __iter__(self):
        return iter(self.keys())

    def copy(self):
        cdef CompactDict twin = CompactDict()
        twin.merge(self)
        return twin

    def merge(self, CompactDict other not None):
        cdef Py_ssize_t i
        for i in range(other.width):
            if other.slots[i]:
                self._take_copy(other.slots[i])

    cdef int _take_copy(self, uint64_t slot) except -1:
        """Adds a copy of another dict's entry, whose key is not here."""
        self._make_room()
        cdef char *entry = copy_of(entry_at(slot))
        self._charge(self._size_of(entry))
        self._place((slot & ~(ADDRESS | SHARED | OWNED)) | <uint64_t>entry)
        self.held_count += kind_of(entry) == OBJECT
        self.count += 1
        return 0

    def split(self, uint64_t bit, CompactDict low not None, CompactDict high not None):
        cdef Py_ssize_t i
        cdef char *entry
        cdef uint64_t slot
        cdef CompactDict side
        cdef Py_ssize_t moved, half = self.count // 2
        self._detach()
        low._resize(half + (half >> 2) + LEAST)
        high._resize(half + (half >> 2) + LEAST)
        for i in range(self.width):
            if i + AHEAD < self.width:
                PREFETCH(entry_at(self.slots[i + AHEAD]))
            slot = self.slots[i]
            if slot:
                entry = entry_at(slot)
                side = high if HASH_BYTES(key_start(entry), key_size(entry)) & bit else low
                side._make_room()
                moved = self._size_of(entry)
                side._charge(moved)
                self._charge(-moved)
                side._place(slot)
                side.count += 1
                side.held_count += kind_of(entry) == OBJECT
                # What was moved is not freed should the next side run out of memory.
                self.slots[i] = 0
                self.count -= 1
        self.held_count = 0

    def stretch(self, uint64_t shift, uint64_t first, uint64_t position, list found not None):
        cdef Py_ssize_t i
        cdef char *entry
        cdef uint64_t place
        for i in range(self.width):
            if self.slots[i]:
                entry = entry_at(self.slots[i])
                place = HASH_BYTES(key_start(entry), key_size(entry)) & HASH_MASK
                if place >> shift == first and place >= position:
                    found.append(key_of(entry))

    def draw(self, Py_ssize_t number):
        cdef uint64_t slot
        if self.width == 0:
            return None
        slot = self.slots[number % self.width]
        return key_of(entry_at(slot)) if slot else None

    def __sizeof__(self):
        return sizeof(CompactDict) + self.bytes


cdef inline Py_ssize_t payload(char *entry) noexcept:
    """How many bytes of an entry its value takes."""
    cdef uint64_t kind = kind_of(entry)
    return kind if kind <= SHORT else 0 if kind == NONE else 8


cdef class Directory:
    """See compact.py."""
    cdef list segments
    # The dict of each slot's segment, which the segment keeps alive.
    cdef PyObject **tables
    cdef readonly int depth

    def __cinit__(self, segment=None, CompactDict items=None):
        self.segments = []
        self.tables = NULL
        self.depth = 0
        if items is not None:
            self.segments.append(segment)
            self.tables = <PyObject **>PyObject_Malloc(sizeof(PyObject *))
            if self.tables == NULL:
                raise MemoryError
            self.tables[0] = <PyObject *>items

    def __dealloc__(self):
        PyObject_Free(self.tables)

    cdef inline Py_ssize_t _slot(self, bytes key) except -1:
        return (<uint64_t>PyObject_Hash(key) & HASH_MASK) >> (HASH_BITS - self.depth)

    def __getitem__(self, bytes key not None):
        return <object>PyList_GET_ITEM(self.segments, self._slot(key))

    def __len__(self):
        return len(self.segments)

    def __iter__(self):
        return iter(self.distinct())

    def at(self, uint64_t position):
        return self.segments[(position & HASH_MASK) >> (HASH_BITS - self.depth)]

    def place(self, uint64_t start, int depth, segment, CompactDict items not None):
        cdef Py_ssize_t first = start >> (HASH_BITS - self.depth), i
        for i in range(first, first + (<Py_ssize_t>1 << (self.depth - depth))):
            self.segments[i] = segment
            self.tables[i] = <PyObject *>items

    cdef int _become(self, list segments, int depth, Py_ssize_t old_step, Py_ssize_t new_step) except -1:
        """Takes other slots: slot i is what slot i * old_step / new_step was."""
        cdef Py_ssize_t i, size = len(segments)
        cdef PyObject **tables = <PyObject **>PyObject_Malloc(size * sizeof(PyObject *))
        if tables == NULL:
            raise MemoryError
        for i in range(size):
            tables[i] = self.tables[i * old_step // new_step]
        PyObject_Free(self.tables)
        self.tables = tables
        self.segments = segments
        self.depth = depth
        return 0

    def double(self):
        cdef list segments = []
        for each in self.segments:
            segments.append(each)
            segments.append(each)
        self._become(segments, self.depth + 1, 1, 2)

    def halve(self):
        self._become(self.segments[::2], self.depth - 1, 2, 1)

    def copy(self):
        cdef Directory twin = Directory()
        cdef Py_ssize_t size = len(self.segments)
        twin.tables = <PyObject **>PyObject_Malloc(size * sizeof(PyObject *))
        if twin.tables == NULL:
            raise MemoryError
        memcpy(twin.tables, self.tables, size * sizeof(PyObject *))
        twin.segments = list(self.segments)
        twin.depth = self.depth
        return twin

    def distinct(self):
        cdef list found = []
        last = None
        for each in self.segments:
            if each is not last:
                found.append(each)
                last = each
        return found

    def __sizeof__(self):
        return sizeof(Directory) + 16 * len(self.segments)


def prefetch(list directories not None, list keys not None):
    """See compact.py."""
    cdef Directory directory
    cdef CompactDict table
    cdef PyObject *tables[AT_ONCE]
    cdef uint64_t tags[AT_ONCE]
    cdef char *entries[AT_ONCE]
    cdef Py_ssize_t i, j, count = min(len(directories), len(keys), AT_ONCE)
    for i in range(count):
        directory = <Directory?>directories[i]
        j = directory._slot(keys[i])
        tables[i] = directory.tables[j]
        PREFETCH(tables[i])
        PREFETCH(PyList_GET_ITEM(directory.segments, j))
        tags[i] = PyObject_Hash(keys[i]) & 0xFFFF
    for i in range(count):
        table = <CompactDict>tables[i]
        if table.count:
            PREFETCH(table.slots + ((tags[i] * table.width) >> 16))
    for i in range(count):
        table = <CompactDict>tables[i]
        entries[i] = NULL
        if table.count == 0:
            continue
        j = (tags[i] * table.width) >> 16
        while table.slots[j]:
            if table.slots[j] >> 48 == tags[i]:
                entries[i] = entry_at(table.slots[j])
                PREFETCH(entries[i])
                PREFETCH(entries[i] + 63)
                break
            j += 1
            if j == table.width:
                break
    for i in range(count):
        if entries[i] != NULL and kind_of(entries[i]) == OBJECT:
            PREFETCH(held_object(entries[i]))
