"""Categories over HTTP, with Outlook's list in the simulator."""
