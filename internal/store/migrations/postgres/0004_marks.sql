-- +goose Up
-- Messages that a user deleted for himself.
CREATE TABLE hidden_message (
  user_id TEXT COLLATE "C" NOT NULL,
  log     BIGINT NOT NULL,
  seq     BIGINT NOT NULL,
  PRIMARY KEY (user_id, log, seq)
);

-- +goose Down
DROP TABLE hidden_message;
