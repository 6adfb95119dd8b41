-- +goose Up
-- Messages that a user deleted for himself.
CREATE TABLE hidden_message (
  user_id TEXT COLLATE "C" NOT NULL,
  log     BIGINT NOT NULL,
  seq     BIGINT NOT NULL,
  PRIMARY KEY (user_id, log, seq)
);

-- For what is written into everybody's conversation with a user.
CREATE INDEX conversation_peer ON conversation (user_id);

-- +goose Down
DROP INDEX conversation_peer;
DROP TABLE hidden_message;
