-- +goose Up
-- What became of the sends of a client action, for a day.
CREATE TABLE send_status (
  operation_id TEXT    PRIMARY KEY,
  status       INTEGER NOT NULL,
  at           INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX send_status_at ON send_status (at);

-- What the operator tells client programs: everybody's (user_id '') or one
-- user's.
CREATE TABLE client_config (
  user_id TEXT NOT NULL,
  name    TEXT NOT NULL,
  value   TEXT NOT NULL,
  PRIMARY KEY (user_id, name)
) WITHOUT ROWID;

-- A user's own entries of a kind only clients know: favourites and the like.
CREATE TABLE user_command (
  id         INTEGER PRIMARY KEY,
  user_id    TEXT    NOT NULL,
  type       INTEGER NOT NULL,
  uuid       TEXT    NOT NULL,
  value      TEXT    NOT NULL,
  ex         TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (user_id, type, uuid)
);

-- +goose Down
DROP TABLE user_command;
DROP TABLE client_config;
DROP TABLE send_status;
