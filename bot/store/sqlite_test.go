package store

import (
	"path/filepath"
	"testing"
)

func TestSQLite(t *testing.T) {
	suite(t, func(t *testing.T) string { return filepath.Join(t.TempDir(), "canteen.db") })
}
