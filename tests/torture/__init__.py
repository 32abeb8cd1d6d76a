"""Long runs that no test run waits for: `python -m tests.torture kills --number 1000`."""
