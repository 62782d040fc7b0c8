CREATE TABLE "users" ("id" varchar(255),"created_at" timestamptz NOT NULL,PRIMARY KEY ("id"),CONSTRAINT "chk_users_id" CHECK (length(id) BETWEEN 1 AND 255));
CREATE TABLE "tasks" ("id" bigserial,"user_id" varchar(255) NOT NULL,"title" varchar(200) NOT NULL,"description" varchar(1000),"completed" boolean NOT NULL DEFAULT false,"created_at" timestamptz NOT NULL,"updated_at" timestamptz NOT NULL,PRIMARY KEY ("id"),CONSTRAINT "chk_tasks_user_id" CHECK (length(user_id) BETWEEN 1 AND 255),CONSTRAINT "chk_tasks_title" CHECK (length(title) BETWEEN 1 AND 200),CONSTRAINT "chk_tasks_description" CHECK (length(description) <= 1000));
CREATE INDEX "idx_tasks_user_completed" ON "tasks" ("user_id","completed","created_at","id");
CREATE INDEX "idx_tasks_user_created" ON "tasks" ("user_id","created_at","id");
ALTER TABLE "tasks" ADD CONSTRAINT "fk_tasks_user" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE;
