"""PostgreSQL's own time and random numbers, made the world's: ``now()`` and ``gen_random_uuid()``.

``now()`` is the virtual time at which the transaction began, as the wire says with each BEGIN. Without one
it is the world's first instant. Both functions stand before the built-in ones in the search path, and
defaults of columns are set to them.
"""

from datetime import timedelta

from tests.simulation.epoch import EPOCH

_SCHEMA = "simulated"
_NOW = f"{_SCHEMA}.now"
#: What makes the database's own clock and uuids those of a world; run by the administrator, once.
PREPARE = f"""
CREATE SCHEMA IF NOT EXISTS {_SCHEMA};
GRANT USAGE ON SCHEMA {_SCHEMA} TO PUBLIC;
CREATE SEQUENCE IF NOT EXISTS {_SCHEMA}.uuids;
GRANT USAGE ON SEQUENCE {_SCHEMA}.uuids TO PUBLIC;
CREATE OR REPLACE FUNCTION {_SCHEMA}.now() RETURNS timestamptz LANGUAGE sql STABLE AS
  $$ SELECT COALESCE(NULLIF(current_setting('{_NOW}', true), ''), '{EPOCH.isoformat()}')::timestamptz $$;
CREATE OR REPLACE FUNCTION {_SCHEMA}.gen_random_uuid() RETURNS uuid LANGUAGE sql VOLATILE AS
  $$ SELECT md5('uuid ' || nextval('{_SCHEMA}.uuids'))::uuid $$;
DO $$
DECLARE found record;
BEGIN
  FOR found IN
    SELECT d.adrelid::regclass AS relation, a.attname AS name, pg_get_expr(d.adbin, d.adrelid) AS expression
    FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE pg_get_expr(d.adbin, d.adrelid) IN ('now()', 'gen_random_uuid()')
  LOOP
    EXECUTE format('ALTER TABLE %s ALTER %I SET DEFAULT {_SCHEMA}.%s', found.relation, found.name,
                   found.expression);
  END LOOP;
END $$
"""  # noqa: S608 - constants alone
#: Names are looked for here first.
SEARCH_PATH = f'{_SCHEMA}, "$user", public, pg_catalog'


def tell(seconds: float) -> bytes:
    """The statement that tells a transaction the virtual time."""
    return f"SET LOCAL {_NOW} = '{(EPOCH + timedelta(seconds=seconds)).isoformat()}';".encode()


def start_uuids(number: int) -> str:
    """The statement after which uuids are drawn from a number on."""
    return f"SELECT setval('{_SCHEMA}.uuids', {number})"
