-- Distributes the tables over the workers of a Citus cluster: all rows of a user are on one worker, and each request asks one.
-- Run it once, on the coordinator, after `go run . migrate` and while no server runs:
--
--   psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f deploy/citus.sql
--
-- These statements were run on Citus 13.2, except those that are marked. docs/postgres.md has more.
-- Each table of users' rows has the same statements here: a test compares the file with the models.

-- Tables are distributed without foreign keys.
ALTER TABLE tasks DROP CONSTRAINT fk_tasks_user;
ALTER TABLE idempotency_keys DROP CONSTRAINT fk_idempotency_keys_user; -- has not been run on Citus

-- A unique key must contain the column that rows are distributed by. That of idempotency_keys does: (user_id, path, key).
ALTER TABLE tasks DROP CONSTRAINT tasks_pkey, ADD PRIMARY KEY (user_id, id);

SELECT create_distributed_table('users', 'id');
SELECT create_distributed_table('tasks', 'user_id', colocate_with => 'users');
SELECT create_distributed_table('idempotency_keys', 'user_id', colocate_with => 'users'); -- has not been run on Citus

ALTER TABLE tasks ADD CONSTRAINT fk_tasks_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
-- has not been run on Citus:
ALTER TABLE idempotency_keys ADD CONSTRAINT fk_idempotency_keys_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
