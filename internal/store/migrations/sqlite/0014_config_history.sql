-- +goose Up
-- The configurations that were in effect, and the edits that were refused, so
-- that what happened can be explained afterwards. Secrets are masked before they
-- get here.
CREATE TABLE config_history (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  applied INTEGER NOT NULL,
  cause   TEXT    NOT NULL,
  hash    TEXT    NOT NULL,
  body    BLOB    NOT NULL
);

-- +goose Down
DROP TABLE config_history;
