"""Reports: what a compile or a program has to say, as plain data and as text."""
