-- The least that `moderator scan`, `search` and `references` need, for MariaDB (MySQL: sql/mysql/grants.sql). Run it as an administrator after
-- `moderator db init`, which makes the database (here `moderator`) and its tables:
--
--     mariadb < sql/mariadb/grants.sql
--
-- Put a password of your own in its place first. `moderator db upgrade` and `init` stay the administrator's, who alone may
-- change the schema. The log can be added to and read, and neither changed nor emptied.
CREATE USER IF NOT EXISTS 'moderator'@'%' IDENTIFIED BY 'change-this' REQUIRE SSL;

GRANT SELECT, INSERT, UPDATE, DELETE ON moderator.contents TO 'moderator'@'%';
GRANT SELECT, INSERT, UPDATE ON moderator.hashing TO 'moderator'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON moderator.images TO 'moderator'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON moderator.models TO 'moderator'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON moderator.embeddings TO 'moderator'@'%';
GRANT SELECT ON moderator.vector_indexes TO 'moderator'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON moderator.features TO 'moderator'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON moderator.reference_sets TO 'moderator'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON moderator.reference_entries TO 'moderator'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON moderator.scans TO 'moderator'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON moderator.findings TO 'moderator'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON moderator.decisions TO 'moderator'@'%';
GRANT SELECT, INSERT ON moderator.audit_log TO 'moderator'@'%';
GRANT SELECT ON moderator.schema_migrations TO 'moderator'@'%';

-- After `moderator db index`, which the administrator runs: one line for each row of vector_indexes, by its model_id.
-- GRANT SELECT, DELETE ON moderator.vectors_1 TO 'moderator'@'%';
