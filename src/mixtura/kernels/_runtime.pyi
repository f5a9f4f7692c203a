INSTRUCTION_SET: str
HAS_OPENMP: bool

def max_threads() -> int: ...
