package store

import (
	"testing"

	"canteen/bot/store/pgtest"
)

func TestPostgres(t *testing.T) {
	server := pgtest.New(t)
	suite(t, func(t *testing.T) string { return server.Database(t) })
}
