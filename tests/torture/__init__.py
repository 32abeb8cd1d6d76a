"""Long runs that no test run waits for: `python -m tests.torture --number 1000`."""
