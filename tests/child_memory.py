"""The peak of resident memory, for the source text of a child process that a test measures."""

PEAK = """
def peak():
    with open("/proc/self/status") as status:  # getrusage tells what the parent had, if that was more
        (line,) = (line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1])
"""
