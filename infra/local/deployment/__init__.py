"""A deployment as a program: the same steps for Azure and for this machine."""
