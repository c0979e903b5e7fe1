package store

import (
	"context"
	"fmt"
	"strings"
)

// Open opens the database at an address: a path, sqlite:path, or a PostgreSQL URL.
func Open(ctx context.Context, address string, o Options) (*Store, error) {
	path, ok, err := sqlitePath(address)
	if err != nil {
		return nil, err
	}
	if ok {
		return OpenSQLite(ctx, path, o)
	}
	return OpenPostgres(ctx, address, o)
}

// sqlitePath tells whether an address is one of SQLite, and its file.
func sqlitePath(address string) (path string, ok bool, err error) {
	switch scheme, rest, found := strings.Cut(address, ":"); {
	case found && (scheme == "postgres" || scheme == "postgresql"):
		return "", false, nil
	case found && scheme == "sqlite":
		return strings.TrimPrefix(rest, "//"), true, nil
	case strings.Contains(address, "://"):
		return "", false, fmt.Errorf("database: %s:// is neither sqlite nor postgres", scheme)
	}
	return address, true, nil
}
