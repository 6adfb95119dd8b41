-- +goose Up
-- A user's groups in order: a change of his profile is spread to them in chunks.
DROP INDEX group_member_user;
CREATE INDEX group_member_user ON group_member (user_id, group_id);

-- +goose Down
DROP INDEX group_member_user;
CREATE INDEX group_member_user ON group_member (user_id);
