package store

import (
	"context"
	"fmt"
	"strings"
)

// Open opens the database at an address: a path, sqlite:path, or a PostgreSQL URL.
func Open(ctx context.Context, address string, o Options) (*Store, error) {
	switch scheme, rest, found := strings.Cut(address, ":"); {
	case found && (scheme == "postgres" || scheme == "postgresql"):
		return OpenPostgres(ctx, address, o)
	case found && scheme == "sqlite":
		return OpenSQLite(ctx, strings.TrimPrefix(rest, "//"), o)
	case strings.Contains(address, "://"):
		return nil, fmt.Errorf("database: %s:// is neither sqlite nor postgres", scheme)
	}
	return OpenSQLite(ctx, address, o)
}
