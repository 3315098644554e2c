"""Published numbers against the product: `python -m tests.golden FILE.json`."""
