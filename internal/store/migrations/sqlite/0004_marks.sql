-- +goose Up
-- Messages that a user deleted for himself.
CREATE TABLE hidden_message (
  user_id TEXT    NOT NULL,
  log     INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  PRIMARY KEY (user_id, log, seq)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE hidden_message;
