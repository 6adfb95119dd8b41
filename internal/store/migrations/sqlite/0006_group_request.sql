-- +goose Up
-- Requests to join a group: the newest one of each user.
CREATE TABLE group_request (
  id             INTEGER PRIMARY KEY,
  group_id       TEXT    NOT NULL,
  user_id        TEXT    NOT NULL,
  inviter_id     TEXT    NOT NULL,
  join_source    INTEGER NOT NULL,
  message        TEXT    NOT NULL,
  ex             TEXT    NOT NULL,
  requested_at   INTEGER NOT NULL,
  result         INTEGER NOT NULL,
  handle_message TEXT    NOT NULL,
  handler_id     TEXT    NOT NULL,
  handled_at     INTEGER NOT NULL,
  UNIQUE (group_id, user_id)
);
CREATE INDEX group_request_user ON group_request (user_id);

-- +goose Down
DROP TABLE group_request;
