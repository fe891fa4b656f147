"""Every way of using several datasets, on many problems, by one command."""
