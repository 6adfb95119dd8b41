-- +goose Up
-- Who wants to be whose friend: one row per ordered pair, pending or answered.
CREATE TABLE friend_request (
  id         INTEGER PRIMARY KEY,
  from_id    TEXT    NOT NULL,
  to_id      TEXT    NOT NULL,
  message    TEXT    NOT NULL,
  ex         TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  result     INTEGER NOT NULL DEFAULT 0,
  answer     TEXT    NOT NULL DEFAULT '',
  handler_id TEXT    NOT NULL DEFAULT '',
  handled_at INTEGER NOT NULL DEFAULT 0,
  UNIQUE (from_id, to_id)
);
CREATE INDEX friend_request_to ON friend_request (to_id, created_at);
CREATE INDEX friend_request_from ON friend_request (from_id, created_at);

-- Whose lists hold a user.
CREATE INDEX friend_of ON friend (friend_id, owner_id);

-- Changed profiles that not every friend list has counted yet: those of owners
-- after after_owner have not.
CREATE TABLE profile_spread (
  user_id     TEXT PRIMARY KEY,
  after_owner TEXT NOT NULL
) WITHOUT ROWID;

-- Lists of blocked users are synchronised by version, too.
ALTER TABLE block ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
CREATE INDEX block_version ON block (owner_id, version);

-- +goose Down
DROP INDEX block_version;
ALTER TABLE block DROP COLUMN version;
DROP TABLE profile_spread;
DROP INDEX friend_of;
DROP TABLE friend_request;
