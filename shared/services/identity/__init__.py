"""Who calls, and what they may access (domain.md 1; design.md, Who may)."""
