-- +goose Up
-- What endpoints without an address fetch themselves, in the order in which it
-- was moved here from the outbox. cursor rises by one within an endpoint.
CREATE TABLE pull_event (
  endpoint      TEXT    NOT NULL,
  cursor        INTEGER NOT NULL,
  lane          TEXT    NOT NULL,
  event_id      TEXT    NOT NULL,
  callback      TEXT    NOT NULL,
  command       TEXT    NOT NULL,
  operation_id  TEXT    NOT NULL,
  subject       TEXT    NOT NULL,
  client_msg_id TEXT    NOT NULL,
  server_msg_id TEXT    NOT NULL,
  query         TEXT    NOT NULL,
  body          BLOB    NOT NULL,
  created_at    INTEGER NOT NULL,
  missing       INTEGER NOT NULL,
  missing_until INTEGER NOT NULL,
  PRIMARY KEY (endpoint, cursor)
);

-- The end of each endpoint's log. Who appends holds this row, so that cursors
-- become visible in their order.
CREATE TABLE pull_log (
  endpoint    TEXT    PRIMARY KEY,
  last_cursor INTEGER NOT NULL, -- of the newest event
  floor       INTEGER NOT NULL, -- of the newest event that was forgotten
  bytes       INTEGER NOT NULL  -- of what is kept
) WITHOUT ROWID;

-- +goose Down
DROP TABLE pull_log;
DROP TABLE pull_event;
