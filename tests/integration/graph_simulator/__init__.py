"""The simulator of Microsoft Graph and Entra, driven by the real clients."""
