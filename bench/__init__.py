"""Questions about speed. Each has a small size, run as a test, and a large one; `bench/README.md` has the commands."""
