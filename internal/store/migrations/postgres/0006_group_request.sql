-- +goose Up
-- Requests to join a group: the newest one of each user.
CREATE TABLE group_request (
  id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  group_id       TEXT COLLATE "C" NOT NULL,
  user_id        TEXT COLLATE "C" NOT NULL,
  inviter_id     TEXT NOT NULL,
  join_source    INTEGER NOT NULL,
  message        TEXT NOT NULL,
  ex             TEXT NOT NULL,
  requested_at   BIGINT NOT NULL,
  result         INTEGER NOT NULL,
  handle_message TEXT NOT NULL,
  handler_id     TEXT NOT NULL,
  handled_at     BIGINT NOT NULL,
  UNIQUE (group_id, user_id)
);
CREATE INDEX group_request_user ON group_request (user_id);

-- +goose Down
DROP TABLE group_request;
