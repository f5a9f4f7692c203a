# cython: language_level=3
"""What this machine and this build offer: instruction sets and OpenMP threads."""

cdef extern from "runtime.h":
    const char *best_instruction_set()
    int has_openmp()
    int openmp_max_threads()

INSTRUCTION_SET = best_instruction_set().decode()
HAS_OPENMP = bool(has_openmp())


def max_threads():
    """Threads that OpenMP would use now: follows OMP_NUM_THREADS and threadpoolctl."""
    return openmp_max_threads()
