// Package im holds the words of instant messaging: users, conversations,
// messages, groups, errors and events, as every other package speaks of them.
//
// It knows no wire format, no database and no library; it imports the standard
// library only. Values that clients hand us verbatim (content, options, client
// times) are carried verbatim.
package im
