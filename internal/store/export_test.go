package store

// Exec runs a statement of a test that breaks what the API cannot.
func (tx *Tx) Exec(query string, args ...any) (int64, error) { return tx.exec(query, args...) }
