-- +goose Up
-- What endpoints without an address fetch themselves, in the order in which it
-- was moved here from the outbox. cursor rises by one within an endpoint.
CREATE TABLE pull_event (
  endpoint      TEXT COLLATE "C" NOT NULL,
  cursor        BIGINT NOT NULL,
  lane          TEXT COLLATE "C" NOT NULL,
  event_id      TEXT COLLATE "C" NOT NULL,
  callback      TEXT COLLATE "C" NOT NULL,
  command       TEXT COLLATE "C" NOT NULL,
  operation_id  TEXT COLLATE "C" NOT NULL,
  subject       TEXT COLLATE "C" NOT NULL,
  client_msg_id TEXT COLLATE "C" NOT NULL,
  server_msg_id TEXT COLLATE "C" NOT NULL,
  query         TEXT COLLATE "C" NOT NULL,
  body          BYTEA   NOT NULL,
  created_at    BIGINT NOT NULL,
  missing       BIGINT NOT NULL,
  missing_until BIGINT NOT NULL,
  PRIMARY KEY (endpoint, cursor)
);

-- The end of each endpoint's log. Who appends holds this row, so that cursors
-- become visible in their order.
CREATE TABLE pull_log (
  endpoint    TEXT COLLATE "C" PRIMARY KEY,
  last_cursor BIGINT NOT NULL, -- of the newest event
  floor       BIGINT NOT NULL, -- of the newest event that was forgotten
  bytes       BIGINT NOT NULL  -- of what is kept
);

-- +goose Down
DROP TABLE pull_log;
DROP TABLE pull_event;
