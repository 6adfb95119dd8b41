-- +goose Up
-- Logins of the operator's page, known by the hash of their cookies.
CREATE TABLE console_session (
  hash       TEXT    PRIMARY KEY,
  user_id    TEXT    NOT NULL,
  address    TEXT    NOT NULL,
  agent      TEXT    NOT NULL,
  opened_at  INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;

-- What administrators changed or asked for on the operator's page.
CREATE TABLE console_audit (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  user_id TEXT    NOT NULL,
  address TEXT    NOT NULL,
  action  TEXT    NOT NULL,
  detail  TEXT    NOT NULL,
  outcome TEXT    NOT NULL
);
CREATE INDEX console_audit_user ON console_audit (user_id, id);

-- +goose Down
DROP TABLE console_audit;
DROP TABLE console_session;
