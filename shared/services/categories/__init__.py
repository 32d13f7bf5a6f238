"""Categories: reports, suggestions, rules, and the two stores of categories (domain.md 3)."""
