"""PostgreSQL: engine, tables, repositories, migrations."""
