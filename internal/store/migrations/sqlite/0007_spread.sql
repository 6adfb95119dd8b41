-- +goose Up
-- What concerns more rows than one transaction may change: expanded in chunks in
-- order of what the cursor names, each in a transaction with the cursor's move.
CREATE TABLE spread (
  id      INTEGER PRIMARY KEY,
  kind    INTEGER NOT NULL,
  subject TEXT    NOT NULL,
  cursor  TEXT    NOT NULL,
  payload BLOB    NOT NULL,
  UNIQUE (kind, subject)
);
INSERT INTO spread (kind, subject, cursor, payload) SELECT 1, user_id, after_owner, x'' FROM profile_spread;
DROP TABLE profile_spread;

-- Members of a group who deleted its chat. The next message brings it back.
CREATE TABLE closed_chat (
  conversation_id TEXT NOT NULL,
  owner_id        TEXT NOT NULL,
  PRIMARY KEY (conversation_id, owner_id)
) WITHOUT ROWID;
INSERT INTO closed_chat (conversation_id, owner_id) SELECT 'sg_' || m.group_id, m.user_id FROM group_member m
  WHERE NOT EXISTS (SELECT 1 FROM conversation c WHERE c.owner_id = m.user_id AND c.conversation_id = 'sg_' || m.group_id);

-- The order in which members are listed.
CREATE INDEX group_member_order ON group_member (group_id, role DESC, id);

-- +goose Down
DROP INDEX group_member_order;
DROP TABLE closed_chat;
CREATE TABLE profile_spread (
  user_id     TEXT PRIMARY KEY,
  after_owner TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO profile_spread (user_id, after_owner) SELECT subject, cursor FROM spread WHERE kind = 1;
DROP TABLE spread;
