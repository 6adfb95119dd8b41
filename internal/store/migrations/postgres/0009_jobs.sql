-- +goose Up
-- Work done on schedule: when it was last finished, and which node does it now.
CREATE TABLE job (
  name        TEXT COLLATE "C" PRIMARY KEY,
  finished_at BIGINT NOT NULL,
  owner       TEXT COLLATE "C" NOT NULL,
  lease_until BIGINT NOT NULL
);

-- For the messages that leave with the beginning of a log.
CREATE INDEX hidden_message_log ON hidden_message (log, seq);

-- Conversations whose old messages are to disappear.
CREATE INDEX conversation_destruct ON conversation (id) WHERE destruct = 1;

-- For statistics.
CREATE INDEX users_created ON users (created_at);
CREATE INDEX chat_group_created ON chat_group (created_at);

-- +goose Down
DROP INDEX chat_group_created;
DROP INDEX users_created;
DROP INDEX conversation_destruct;
DROP INDEX hidden_message_log;
DROP TABLE job;
