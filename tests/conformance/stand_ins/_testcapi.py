"""The limits of C's integers, which tests of overflows take from CPython's module of this name."""

from struct import calcsize

SHRT_MAX = (1 << 8 * calcsize("h") - 1) - 1
INT_MAX = (1 << 8 * calcsize("i") - 1) - 1
LONG_MAX = (1 << 8 * calcsize("l") - 1) - 1
LLONG_MAX = (1 << 8 * calcsize("q") - 1) - 1
PY_SSIZE_T_MAX = (1 << 8 * calcsize("n") - 1) - 1

SHRT_MIN = -SHRT_MAX - 1
INT_MIN = -INT_MAX - 1
LONG_MIN = -LONG_MAX - 1
LLONG_MIN = -LLONG_MAX - 1
PY_SSIZE_T_MIN = -PY_SSIZE_T_MAX - 1

USHRT_MAX = 2 * SHRT_MAX + 1
UINT_MAX = 2 * INT_MAX + 1
ULONG_MAX = 2 * LONG_MAX + 1
ULLONG_MAX = 2 * LLONG_MAX + 1
