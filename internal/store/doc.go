// Package store is the database: one Store, one kind of transaction, one file
// of reads and writes per noun. Anyone may read any table through it; only the
// noun that owns a table calls its writes.
//
// Two engines keep the same promises, held by one conformance suite
// (storetest): embedded SQLite with one writing connection and group commit,
// and PostgreSQL with a few committers. The differences are in sqlite.go,
// postgres.go and dialect; everything else is one SQL text in PostgreSQL's
// spelling.
//
// What a caller may rely on:
//   - Append gives a conversation the seqs 1, 2, 3 … and returns after a durable
//     commit of the message, its conversation rows and its outbox rows.
//   - Append's Committed callbacks run in commit order, conversation by
//     conversation.
//   - A function given to Write may run again after a conflict; what it records
//     by Record and AfterCommit happens if and only if it committed.
//   - Nothing here waits on the network (but PostgreSQL's own connection), and
//     nothing here knows the wire, webhooks or sockets.
package store
