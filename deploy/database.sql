-- The database of an installation and its two roles, by PostgreSQL's superuser:
--
--   sudo -u postgres psql -f database.sql
--
-- parley_owner owns the schema and applies the migrations (migrate_url);
-- parley_chatd is what chatd runs as (database_url): it owns nothing and cannot
-- change the schema. Neither can log in before it was given a password:
--
--   sudo -u postgres psql -c '\password parley_owner' -c '\password parley_chatd'
--
-- To run it again is harmless.
--
-- SPDX-License-Identifier: MIT
\set ON_ERROR_STOP on
SELECT 'CREATE ROLE ' || r || ' LOGIN'
  FROM unnest(ARRAY['parley_owner', 'parley_chatd']) r
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) \gexec
SELECT 'CREATE DATABASE parley OWNER parley_owner ENCODING ''UTF8'''
  || ' LOCALE ''C.UTF-8'' TEMPLATE template0'
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'parley') \gexec
REVOKE ALL ON DATABASE parley FROM PUBLIC;
GRANT CONNECT ON DATABASE parley TO parley_chatd;
