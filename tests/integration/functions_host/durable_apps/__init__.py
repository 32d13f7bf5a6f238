"""Apps that the tests of the Durable engine run, and what runs them without a host."""
