"""The parts of the application: which services there are and what each is built of."""
