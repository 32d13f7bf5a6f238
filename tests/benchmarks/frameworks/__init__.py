"""The same reads in the frameworks one would otherwise take, for comparison."""
