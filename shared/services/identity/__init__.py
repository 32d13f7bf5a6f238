"""Who calls, and what they may reach (domain.md 1; design.md, Who may)."""
