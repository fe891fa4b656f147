"""Statistics: the loss of each row, intervals, and means over sources."""
